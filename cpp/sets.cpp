// Sets, which are rows of their own lengths: brought to rows of one length, and to the kernels of these. A set's
// results are those of a row of its length, bit by bit, whatever other sets there are.
#include <numeric>

#include "batch.hpp"

namespace luce {
namespace {

// Entries to a chunk: they stay in a fast cache while the sets of one length after the other are picked out of them,
// and there are enough sets to fill vectors with those of one length.
constexpr std::int64_t kChunk = 1 << 15;

// `count` sets from one on, all of one length, which follow each other.
template <class T>
Job<T> rows_of(const SetsJob<T>& job, std::int64_t set, std::int64_t count, std::int64_t length) {
    Job<T> rows = job;
    rows.rows = count, rows.classes = length;
    rows.background = job.background / double(length);
    const auto skip = [](auto*& p, std::int64_t by) { p = p ? p + by : p; };
    skip(rows.indices, set), skip(rows.row_scale, set), skip(rows.loss, set), skip(rows.lse, set);
    const std::int64_t first = job.offsets[set];
    skip(rows.logits, first), skip(rows.vector, first), skip(rows.dense, first);
    skip(rows.grad, first), skip(rows.product, first);
    return rows;
}

// A chunk of sets: the short ones sorted by length, so that those of one length fill the lanes of a vector; the long
// ones as they come.
template <class T>
class Chunk {
    const typename Kernels<T>::OnRows kernel;
    const std::int64_t most;                   // items of a short set
    std::vector<std::int64_t> begin, order;    // of each length in the order; sets
    std::vector<std::int64_t> place, indices;  // of the sets of one length
    std::vector<double> row_scale, loss, lse;

  public:
    Chunk(Operation operation, const Level& level)
        : kernel(level.template kernels<T>().of(operation)), most(level.column_classes) {}

    void run(const SetsJob<T>& job, std::int64_t first, std::int64_t last) {
        if (first == last) return;
        const std::int64_t length = job.offsets[first + 1] - job.offsets[first];
        std::int64_t set = first + 1;
        while (set < last && job.offsets[set + 1] - job.offsets[set] == length) ++set;
        if (set == last && length > 0) {
            const Job<T> rows = rows_of(job, first, last - first, length);
            kernel(rows, 0, rows.rows);
        } else {
            fetch(job.logits, job.offsets[first], job.offsets[last]);
            sort(job, first, last);
            for (std::int64_t n = 1; n <= most; ++n)
                if (begin[std::size_t(n)] < begin[std::size_t(n + 1)]) run_short(job, n);
        }
    }

  private:
    // A chunk is read in its order once, which the hardware foresees, before it is picked out by length (7 % of the
    // time).
    static void fetch(const T* from, std::int64_t begin, std::int64_t end) {
        constexpr std::int64_t kLine = 64 / sizeof(T);
        for (std::int64_t i = begin; i < end; i += kLine) __builtin_prefetch(from + i);
    }

    // What there is to do at once for sets without items and for long sets, and the order of the others.
    void sort(const SetsJob<T>& job, std::int64_t first, std::int64_t last) {
        begin.assign(std::size_t(most + 2), 0);
        for (std::int64_t set = first; set < last; ++set) {
            const std::int64_t length = job.offsets[set + 1] - job.offsets[set];
            if (length == 0) {
                if (job.loss) job.loss[set] = 0;
                if (job.lse) job.lse[set] = -std::numeric_limits<double>::infinity();
            } else if (length <= most) {
                ++begin[std::size_t(length + 1)];
            } else {
                kernel(rows_of(job, set, 1, length), 0, 1);
            }
        }
        std::partial_sum(begin.begin(), begin.end(), begin.begin());
        order.resize(std::size_t(begin.back()));
        std::vector<std::int64_t> next = begin;
        for (std::int64_t set = first; set < last; ++set) {
            const std::int64_t length = job.offsets[set + 1] - job.offsets[set];
            if (0 < length && length <= most) order[std::size_t(next[std::size_t(length)]++)] = set;
        }
    }

    void run_short(const SetsJob<T>& job, std::int64_t length) {
        const std::int64_t* const sets = order.data() + begin[std::size_t(length)];
        const std::int64_t count = begin[std::size_t(length + 1)] - begin[std::size_t(length)];
        Job<T> rows = job;
        rows.rows = count, rows.classes = length;
        rows.background = job.background / double(length);
        rows.entries = job.offsets[job.rows];
        rows.place = gathered(place, job.offsets, sets, count);
        rows.indices = gathered(indices, job.indices, sets, count);
        rows.row_scale = gathered(row_scale, job.row_scale, sets, count);
        rows.loss = room_for(loss, job.loss, count);
        rows.lse = room_for(lse, job.lse, count);
        kernel(rows, 0, count);
        for (std::int64_t i = 0; rows.loss && i < count; ++i) job.loss[sets[i]] = rows.loss[i];
        for (std::int64_t i = 0; rows.lse && i < count; ++i) job.lse[sets[i]] = rows.lse[i];
    }

    template <class U>
    static const U* gathered(std::vector<U>& to, const U* from, const std::int64_t* sets, std::int64_t count) {
        if (!from) return nullptr;
        to.resize(std::size_t(count));
        for (std::int64_t i = 0; i < count; ++i) to[std::size_t(i)] = from[sets[i]];
        return to.data();
    }
    static double* room_for(std::vector<double>& to, const double* wanted, std::int64_t count) {
        if (!wanted) return nullptr;
        to.resize(std::size_t(count));
        return to.data();
    }
};

}  // namespace

template <class T>
void run(Operation operation, const SetsJob<T>& job, Threads threads) {
    const Level& level = active_level();
    count_call(level);
    const std::int64_t *first = job.offsets, *last = first + job.rows, entries = *last;
    const auto set_at = [&](std::int64_t entry) {
        return entry >= entries ? job.rows : std::lower_bound(first, last, entry) - first;
    };
    Form<T> all = job;
    all.classes = 1, all.rows = entries;
    parallel_for(std::max<std::int64_t>(entries, 1), kChunk, threads, cost(all),
                 [&, chunk = Chunk<T>(operation, level)](std::int64_t begin, std::int64_t end) mutable {
                     chunk.run(job, set_at(begin), set_at(end));
                 });
}
template void run(Operation, const SetsJob<float>&, Threads);
template void run(Operation, const SetsJob<double>&, Threads);

}  // namespace luce
