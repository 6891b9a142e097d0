#include "batch.hpp"

#include <cmath>
#include <limits>

namespace luce {
namespace {

// Rows to a chunk: some 64 Ki entries, a multiple of every level's lanes so that a row's place in its vector never
// changes what is computed beside it.
std::int64_t chunk_rows(std::int64_t classes) {
    const std::int64_t rows = (std::int64_t(1) << 16) / std::max<std::int64_t>(classes, 1);
    return std::max<std::int64_t>(1, rows / 64 * 64 > 0 ? rows / 64 * 64 : rows);
}

}  // namespace

template <class T>
void run(Operation operation, const Job<T>& job, int n_threads) {
    const Level& level = active_level();
    const Kernels<T>& k = level.template kernels<T>();
    count_call(level);
    const auto kernel = operation == Operation::cross_entropy ? k.cross_entropy
                        : operation == Operation::hessian     ? k.hessian
                        : operation == Operation::softmax     ? k.softmax
                                                              : k.log_softmax;
    parallel_for(job.rows, chunk_rows(job.classes), n_threads, cost(job),
                 [&](std::int64_t begin, std::int64_t end) { kernel(job, begin, end); });
}
template void run(Operation, const Job<float>&, int);
template void run(Operation, const Job<double>&, int);

template <class T>
void run(const SigmoidJob<T>& job, int n_threads) {
    const Level& level = active_level();
    count_call(level);
    const std::int64_t blocks = (job.size + job.kBlock - 1) / job.kBlock;
    parallel_for(blocks, 16, n_threads, double(job.size) * 4,
                 [&](std::int64_t begin, std::int64_t end) { level.template kernels<T>().sigmoid(job, begin, end); });
}
template void run(const SigmoidJob<float>&, int);
template void run(const SigmoidJob<double>&, int);

IndexCheck check_index(const std::int64_t* index, std::int64_t size, std::int64_t classes, bool has_ignored,
                       std::int64_t ignored) {
    std::int64_t skipped = 0, outside = 0;
    for (std::int64_t i = 0; i < size; ++i) {
        const bool skip = has_ignored & (index[i] == ignored);
        skipped += skip;
        outside += !skip & (std::uint64_t(index[i]) >= std::uint64_t(classes));
    }
    IndexCheck result;
    result.counted = size - skipped;
    for (std::int64_t i = 0; outside && result.bad < 0; ++i)
        if (!(has_ignored && index[i] == ignored) && std::uint64_t(index[i]) >= std::uint64_t(classes)) result.bad = i;
    return result;
}

template <class T>
std::int64_t first_bad_mass(const T* x, std::int64_t size) {
    constexpr T kLargest = std::numeric_limits<T>::max();
    constexpr std::int64_t kBlock = 4096;
    for (std::int64_t begin = 0; begin < size; begin += kBlock) {
        const std::int64_t end = std::min(size, begin + kBlock);
        int bad = 0;
        for (std::int64_t i = begin; i < end; ++i) bad |= !((x[i] >= 0) & (x[i] <= kLargest));
        for (std::int64_t i = begin; bad; ++i)
            if (!(x[i] >= 0 && x[i] <= kLargest)) return i;
    }
    return -1;
}
template std::int64_t first_bad_mass(const float*, std::int64_t);
template std::int64_t first_bad_mass(const double*, std::int64_t);

double total(const double* x, std::int64_t size) {
    constexpr int kLanes = 8;
    double sum[kLanes] = {}, lost[kLanes] = {};
    auto add = [](double& s, double& c, double v) {
        const double t = s + v, b = t - s;
        c += (s - (t - b)) + (v - b);
        s = t;
    };
    std::int64_t i = 0;
    for (; i + kLanes <= size; i += kLanes)
        for (int l = 0; l < kLanes; ++l) add(sum[l], lost[l], x[i + l]);
    for (; i < size; ++i) add(sum[i % kLanes], lost[i % kLanes], x[i]);
    double s = 0, c = 0, plain = 0;
    for (int l = 0; l < kLanes; ++l) {
        plain += sum[l];
        add(s, c, sum[l]);
        c += lost[l];
    }
    return std::isfinite(plain) ? s + c : plain;
}

}  // namespace luce
