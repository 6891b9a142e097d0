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

// What an operation does to rows [begin, end). The loss of listed classes has the statistics in passing, but for
// ignored rows. Elsewhere they come first, because the gradient may be written over the logits, and a chunk at a time,
// so that its logits are read from memory once.
template <class T>
auto on_rows(Operation operation, const Level& level) {
    const Kernels<T>& k = level.template kernels<T>();
    count_call(level);
    const auto kernel = operation == Operation::statistics ? nullptr : k.of(operation);
    return [kernel, &k](const Job<T>& job, std::int64_t begin, std::int64_t end) {
        Job<T> rest = job;
        if (job.statistics() && !(kernel == k.cross_entropy && job.statistics_in_passing(begin, end))) {
            const Job<T> alone{job.logits_alone(), job.logits};
            k.statistics(alone, begin, end);
            rest.lse = rest.entropy = nullptr, rest.largest = nullptr;
        }
        if (kernel) kernel(rest, begin, end);
    };
}

// Class weights of which the largest is far from 1 lose a power of two to the rows' scales, where any size is at home:
// what rows make of them in T, their share of a uniform target, say, could not hold it.
template <class T>
class Balanced {
    std::vector<T> weight;
    std::vector<double> row_scale;

  public:
    explicit Balanced(Form<T>& form) {
        if (form.weight) balance(form);
    }

  private:
    void balance(Form<T>& form) {
        constexpr int usual = sizeof(T) == 4 ? 20 : 200, most = 1000;
        T largest = 0;
        for (std::int64_t j = 0; j < form.classes; ++j) largest = std::max(largest, std::abs(form.weight[j]));
        int power = largest > 0 && std::isfinite(largest) ? std::ilogb(largest) : 0;
        if (std::abs(power) <= usual) return;
        row_scale.assign(std::size_t(form.rows), 1.0);
        if (form.row_scale) std::copy_n(form.row_scale, form.rows, row_scale.begin());
        for (const double r : row_scale)
            if (r != 0 && std::isfinite(r)) power = std::clamp(power, -most - std::ilogb(r), most - std::ilogb(r));
        for (double& r : row_scale) r = std::ldexp(r, power);
        weight.assign(form.weight, form.weight + form.classes);
        for (T& w : weight) w = std::ldexp(w, -power);
        form.z_loss = std::ldexp(form.z_loss, -power), form.mass = std::ldexp(form.mass, -power);
        form.weight = weight.data(), form.row_scale = row_scale.data();
    }
};

}  // namespace

template <class T>
void run(Operation operation, Job<T> job, Threads threads) {
    const Balanced<T> weights(job);
    const auto step = on_rows<T>(operation, active_level());
    parallel_for(job.rows, chunk_rows(job.classes), threads, cost(job),
                 [&](std::int64_t begin, std::int64_t end) { step(job, begin, end); });
}
template void run(Operation, Job<float>, Threads);
template void run(Operation, Job<double>, Threads);

// A chunk is widened into a thread's own floats, computed there in place, and rounded once.
void run(Operation operation, HalfJob job, Threads threads) {
    const Balanced<float> weights(job);
    const Level& level = active_level();
    const auto step = on_rows<float>(operation, level);
    const HalfKernels& half = job.half == Half::bfloat16 ? level.bfloat16 : level.float16;
    parallel_for(job.rows, chunk_rows(job.classes), threads, cost(job),
                 [&, floats = std::vector<float>()](std::int64_t begin, std::int64_t end) mutable {
                     const std::int64_t size = (end - begin) * job.classes, at = begin * job.classes;
                     floats.resize(std::max(floats.size(), std::size_t(job.vector ? 2 * size : size)));
                     float *const logits = floats.data(), *const vector = logits + size;
                     half.widen(job.logits + at, logits, size);
                     if (job.vector) half.widen(job.vector + at, vector, size);
                     step({job.rows_from(begin, end), logits, job.vector ? vector : nullptr,
                           job.grad ? logits : nullptr, job.product ? vector : nullptr},
                          0, end - begin);
                     if (job.grad) half.round(logits, job.grad + at, size);
                     if (job.product) half.round(vector, job.product + at, size);
                 });
}

template <class T>
void run(const SigmoidJob<T>& job, Threads threads) {
    const Level& level = active_level();
    count_call(level);
    const std::int64_t blocks = (job.size + job.kBlock - 1) / job.kBlock;
    parallel_for(blocks, 16, threads, double(job.size) * 4,
                 [&](std::int64_t begin, std::int64_t end) { level.template kernels<T>().sigmoid(job, begin, end); });
}
template void run(const SigmoidJob<float>&, Threads);
template void run(const SigmoidJob<double>&, Threads);

// Rows in pieces of about as many stored values: a column of a text may be a thousand times as full as the next.
template <class T, class I, class Out>
void run(const SparseJob<T, I, Out>& job, Threads threads) {
    const Level& level = active_level();
    const SparseKernels<T, I, Out>& k = level.sparse;
    count_call(level);
    if (job.classes == 0) return;
    const std::int64_t *first = job.start, *last = job.start + job.rows;
    const auto row = [&](std::int64_t value) { return std::lower_bound(first, last, *first + value) - first; };
    parallel_for(*last - *first, std::max<std::int64_t>(256, (1 << 17) / job.classes), threads, cost(job),
                 [&](std::int64_t begin, std::int64_t end) { k.gather(job, row(begin), row(end)); });
}
template void run(const SparseJob<float, std::int32_t, float>&, Threads);
template void run(const SparseJob<float, std::int64_t, float>&, Threads);
template void run(const SparseJob<float, std::int32_t, double>&, Threads);
template void run(const SparseJob<float, std::int64_t, double>&, Threads);
template void run(const SparseJob<double, std::int32_t, double>&, Threads);
template void run(const SparseJob<double, std::int64_t, double>&, Threads);

namespace {

// Rows to a piece: at most eight pieces hold sums of their own.
std::int64_t piece_rows(std::int64_t rows) { return std::max<std::int64_t>(960, ((rows + 7) / 8 + 23) / 24 * 24); }

template <class T>
const NarrowKernels<T>& prepare(NarrowJob<T>& job) {
    const Level& level = active_level();
    count_call(level);
    const NarrowKernels<T>& k = level.template narrow<T>();
    job.width = (job.classes + k.lanes - 1) / k.lanes * k.lanes;
    return k;
}

}  // namespace

template <class T>
void run_scores(NarrowJob<T> job, const T* coef, const T* intercept, Threads threads) {
    const NarrowKernels<T>& k = prepare(job);
    std::vector<T> columns(static_cast<std::size_t>(job.features * job.width)), start(std::size_t(job.width));
    for (std::int64_t c = 0; c < job.classes; ++c) {
        start[std::size_t(c)] = intercept[c];
        for (std::int64_t j = 0; j < job.features; ++j)
            columns[std::size_t(j * job.width + c)] = coef[c * job.features + j];
    }
    job.columns = columns.data();
    job.start = start.data();
    parallel_for(job.rows, 960, threads, cost(job),
                 [&](std::int64_t begin, std::int64_t end) { k.scores(job, begin, end); });
}
template void run_scores(NarrowJob<float>, const float*, const float*, Threads);
template void run_scores(NarrowJob<double>, const double*, const double*, Threads);

template <class T>
void run_pull_back(NarrowJob<T> job, double* total, Threads threads) {
    const NarrowKernels<T>& k = prepare(job);
    const std::int64_t rows = piece_rows(job.rows), pieces = (job.rows + rows - 1) / rows;
    const std::int64_t size = job.features * job.width;
    std::vector<double> sums(static_cast<std::size_t>(pieces * size));
    parallel_for(job.rows, rows, threads, cost(job), [&](std::int64_t begin, std::int64_t end) {
        k.pull_back(job, sums.data() + begin / rows * size, begin, end);
    });
    for (std::int64_t c = 0; c < job.classes; ++c)
        for (std::int64_t j = 0; j < job.features; ++j) {
            double sum = 0;
            for (std::int64_t piece = 0; piece < pieces; ++piece)
                sum += sums[std::size_t(piece * size + j * job.width + c)];
            total[c * job.features + j] = sum;
        }
}
template void run_pull_back(NarrowJob<float>, double*, Threads);
template void run_pull_back(NarrowJob<double>, double*, Threads);

IndexCheck check_index(const std::int64_t* index, std::int64_t size, std::int64_t classes, bool has_ignored,
                       std::int64_t ignored) {
    // Signs instead of comparisons, of which the baseline has none for 64 bits: a number is in [0, classes) if neither
    // it nor classes - 1 minus it is negative, and differs from another if their difference or its negative is.
    using Bits = std::uint64_t;
    const Bits last = Bits(classes) - 1, skip = Bits(ignored);
    Bits counted = 0, outside = 0;
    for (std::int64_t i = 0; i < size; ++i) {
        const Bits y = Bits(index[i]), other = y ^ skip;
        const Bits live = has_ignored ? (other | (0 - other)) >> 63 : 1;
        counted += live;
        outside |= ((y | (last - y)) >> 63) & live;
    }
    IndexCheck result;
    result.counted = std::int64_t(counted);
    for (std::int64_t i = 0; outside && result.bad < 0; ++i)
        if (!(has_ignored && index[i] == ignored) && std::uint64_t(index[i]) >= std::uint64_t(classes)) result.bad = i;
    return result;
}

template <class T>
std::int64_t first_bad_mass(const T* x, std::int64_t size, const double* row_scale, std::int64_t width) {
    constexpr T kLargest = std::numeric_limits<T>::max();
    constexpr std::int64_t kBlock = 4096;
    for (std::int64_t begin = 0; begin < size; begin += kBlock) {
        const std::int64_t end = std::min(size, begin + kBlock);
        int bad = 0;
        for (std::int64_t i = begin; i < end; ++i) bad |= !((x[i] >= 0) & (x[i] <= kLargest));
        for (std::int64_t i = begin; bad && i < end; ++i)
            if (!(x[i] >= 0 && x[i] <= kLargest) && !(row_scale && row_scale[i / width] == 0)) return i;
    }
    return -1;
}
template std::int64_t first_bad_mass(const float*, std::int64_t, const double*, std::int64_t);
template std::int64_t first_bad_mass(const double*, std::int64_t, const double*, std::int64_t);

double total(const double* x, std::int64_t size) { return active_level().total(x, size); }

}  // namespace luce
