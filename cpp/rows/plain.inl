// The plain case of short rows, which is most of what is asked: losses of one class a row and their gradient, with no
// option at all. What a block does for every case, here with nothing around it: the same operations in the same order,
// so the same bits, in a third of the time where rows have few classes.
#pragma once

#include "../lanes/elementary.inl"
#include "../lanes/sums.inl"
#include "scales.inl"

namespace luce::LUCE_LEVEL {

template <class T>
bool is_plain(const Job<T>& job) {
    return job.classes <= kColumnClasses && job.n_listed == 1 && !job.value && !job.weight && !job.drops() &&
           !job.spread() && !job.transformed() && !job.statistics() && job.z_loss == 0 && job.mass == 0 &&
           job.given_share == 1 && Scales<T>::fit(job.factor);
}

// W rows, one to a lane, as columns (see block.inl for the formulas, memory.inl for the transposition).
template <class T>
class PlainBlock {
    static constexpr int W = kLanes<T>;
    using V = Vec<T>;
    using I = Int<T>;
    using Row = Wide<T>;
    using Index = typename Lane<T>::Bits;

    const Job<T>& job;
    const std::int64_t row;
    const int rows, classes;
    const T* from[W];
    alignas(64) T z[kColumnClasses * W], e[kColumnClasses * W];

  public:
    LUCE_INLINE PlainBlock(const Job<T>& job_, std::int64_t row_, std::int64_t end)
        : job(job_), row(row_), rows(int(std::min<std::int64_t>(W, end - row_))), classes(int(job_.classes)) {}

    LUCE_INLINE void run() {
        read();
        V top = splat(-std::numeric_limits<T>::infinity());
        for (int j = 0; j < classes; ++j) top = max(load(z + j * W), top);
        Exp<T> exp;
        exp.start(top, splat(T(Exp<T>::kRoom)));

        const I chosen = listed();
        const V zero{}, one = splat(T(1));
        V ties = zero, u = zero, e_u = zero;
        Sum<T> sum;
        const auto step = [&](int j) __attribute__((always_inline)) {
            const V z_j = load(z + j * W), e_j = exp.template term<false>(z_j, V{});
            store(e + j * W, e_j);
            const auto here = chosen == splat_int<T>(Index(j));
            const auto at_top = z_j == top;
            u = here ? z_j : u, e_u = here ? e_j : e_u;
            ties += at_top ? one : zero;
            return at_top ? zero : e_j;
        };
        int j = 0;
        for (; j + 4 <= classes; j += 4) {  // as a pass walks
            const V a = step(j), b = step(j + 1), c = step(j + 2), d = step(j + 3);
            sum.add((a + b) + (c + d));
        }
        if (classes - j >= 2) {
            const V a = step(j), b = step(j + 1);
            sum.add(a + b), j += 2;
        }
        if (j < classes) sum.add(step(j));

        const Row nothing = wide_splat<T>(0), unit = wide_splat<T>(1);
        const Row rest = sum.total() + widen(top - top), many = widen(ties);
        const Row top_term = widen(exp.template term<false>(top, V{}));
        const Row inverse = unit / (many * top_term + rest);
        const Row log_sum = log1p((many - unit) + rest / top_term), gap = widen(top) - widen(u);
        if (job.loss) write((log_sum - log_sum) + (gap + log_sum));
        if (!job.grad) return;

        const Row scale = wide_splat<T>(job.factor), q = rest * inverse;
        const Row beside = where_equal(gap, nothing, nothing, unit), at_top = where_equal(gap, nothing, unit, nothing);
        const Row own_form = beside + q, other_form = (unit - q) + at_top;
        const Row own = where_less(own_form, other_form, where_equal(many, unit, unit, nothing), nothing);
        const V coefficient = narrow(inverse * scale), own_top = narrow((beside - q) * scale);
        V value = narrow(widen(e_u * coefficient) - scale);
        const V of_top = narrow(own) == one ? own_top : value;
        value = u == top ? of_top : value;
        value = u == splat(-std::numeric_limits<T>::infinity()) ? coefficient - coefficient : value;
        // a unique maximum that is not listed keeps p_m, of which nothing cancels
        for (j = 0; j < classes; ++j) {
            const auto here = chosen == splat_int<T>(Index(j));
            store(e + j * W, here ? value : load(e + j * W) * coefficient);
        }
        put();
    }

  private:
    LUCE_INLINE std::int64_t first(int l) const { return job.place ? job.place[row + l] : (row + l) * classes; }

    LUCE_INLINE I listed() const {
        const std::int64_t* const index = job.indices + row;
        if constexpr (sizeof(T) == 8)
            if (rows == W) return (I)load(reinterpret_cast<const T*>(index));
        I found{};
        for (int l = 0; l < rows; ++l) found[l] = Index(index[l]);
        return found;
    }

    // pairs that follow each other, without a transposition
    LUCE_INLINE bool are_pairs() const { return classes == 2 && !job.place && rows == W; }
    template <std::size_t... L>
    LUCE_INLINE void read_pairs(std::index_sequence<L...>) {
        const V a = load(job.logits + row * 2), b = load(job.logits + row * 2 + W);
        store(z, __builtin_shufflevector(a, b, (2 * L)...));
        store(z + W, __builtin_shufflevector(a, b, (2 * L + 1)...));
    }
    LUCE_INLINE void put_pairs() const {
        V low, high;
        interleave<T>(load(e), load(e + W), low, high, std::make_index_sequence<W>{});
        store(job.grad + row * 2, low), store(job.grad + row * 2 + W, high);
    }

    LUCE_INLINE void read() {
        if (are_pairs()) return read_pairs(std::make_index_sequence<W>{});
        const T* const limit = job.logits + (job.place ? job.entries : (row + rows) * classes);
        for (int l = 0; l < W; ++l) {
            from[l] = job.logits + first(l < rows ? l : 0);
            if (job.place && row + W + l < job.rows) {
                const std::int64_t next = first(W + l);
                __builtin_prefetch(job.logits + next), __builtin_prefetch(job.logits + next + classes - 1);
                if (job.grad)
                    __builtin_prefetch(job.grad + next, 1), __builtin_prefetch(job.grad + next + classes - 1, 1);
            }
        }
        for (int j = 0; j < classes; j += W) {
            V m[W];
            const int n = std::min(W, classes - j);
            LUCE_UNROLL for (int l = 0; l < W; ++l) m[l] = read_some(from[l] + j, n, limit);
            transpose<T>(m);
            if (n == W) {
                LUCE_UNROLL for (int i = 0; i < W; ++i) store(z + (j + i) * W, m[i]);
            } else {
                LUCE_UNROLL for (int i = 0; i < W; ++i) if (i < n) store(z + (j + i) * W, m[i]);
            }
        }
    }
    LUCE_INLINE static V read_some(const T* p, int n, const T* limit) {
#if LUCE_BYTES == 64
        (void)limit;
        return load_first(p, n, V{});
#else  // what is behind a row is not kept
        return n == W || p + W <= limit ? load(p) : load_first(p, n, V{});
#endif
    }

    LUCE_INLINE void put() const {
        if (are_pairs()) return put_pairs();
        for (int j = 0; j < classes; j += W) {
            V m[W];
            const int n = std::min(W, classes - j);
            LUCE_UNROLL for (int i = 0; i < W; ++i) m[i] = i < n ? load(e + (j + i) * W) : V{};
            transpose<T>(m);
            if (n == W && rows == W) {
                LUCE_UNROLL for (int l = 0; l < W; ++l) store(job.grad + first(l) + j, m[l]);
            } else {
                for (int l = 0; l < rows; ++l) store_first(job.grad + first(l) + j, n, m[l]);
            }
        }
    }

    LUCE_INLINE void write(Row losses) const {
        if (rows == W) return wide_store(job.loss + row, losses);
        double l[W];
        wide_store(l, losses);
        std::copy_n(l, rows, job.loss + row);
    }
};

template <class T>
void run_plain(const Job<T>& job, std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; row += kLanes<T>) {
        PlainBlock<T> block(job, row, end);
        block.run();
    }
}

}  // namespace luce::LUCE_LEVEL
