// Dense rows times few columns, and the transpose of that; compiled once per level.
//
//     z_i = W x_i + b            A = Σ_i g_i x_iᵀ
//
// A matrix product of ten columns runs at the speed at which X is read only if the columns stay in registers. The
// classes of W, of b and of g are beside each other here, in whole vectors filled up with zeros: a tile of rows walks
// over the features once, with one vector of W (or of A) for all of them. A row's scores depend on that row alone.
#pragma once

#include "lanes/sums.inl"

namespace luce::LUCE_LEVEL {

template <class T>
struct NarrowPanel {
    // rows of a tile for 1, 2 or 3 vectors of classes: their sums, the vectors and a value take most registers
    static constexpr int rows(int vectors) {
        return vectors == 1 ? 8 : (LUCE_BYTES == 64 ? 6 : 4) - (vectors == 3 ? (LUCE_BYTES == 64 ? 0 : 1) : 0);
    }
    static constexpr int kMost = 3;
    static constexpr std::int64_t kTile = 24;  // rows that walk over all panels before the next ones: X stays close

    template <int P>
    LUCE_INLINE static void scores(const NarrowJob<T>& job, std::int64_t k, std::int64_t begin, std::int64_t end) {
        constexpr int R = rows(P);
        const std::int64_t width = job.width, features = job.features;
        for (std::int64_t i = begin; i < end; i += R) {
            Vec<T> sum[R][P];
            const T* x[R];
            LUCE_UNROLL for (int r = 0; r < R; ++r) {
                x[r] = job.X + std::min(i + r, end - 1) * features;
                LUCE_UNROLL for (int p = 0; p < P; ++p) sum[r][p] = load(job.start + k + p * kLanes<T>);
            }
            const T* w = job.columns + k;
            for (std::int64_t j = 0; j < features; ++j, w += width) {
                Vec<T> column[P];
                LUCE_UNROLL for (int p = 0; p < P; ++p) column[p] = load(w + p * kLanes<T>);
                LUCE_UNROLL for (int r = 0; r < R; ++r) {
                    const Vec<T> value = splat(x[r][j]);
                    LUCE_UNROLL for (int p = 0; p < P; ++p) sum[r][p] = fma(value, column[p], sum[r][p]);
                }
            }
            const std::int64_t there = std::min<std::int64_t>(P * kLanes<T>, job.classes - k);
            for (int r = 0; r < R && i + r < end; ++r) {
                T whole[P * kLanes<T>];
                LUCE_UNROLL for (int p = 0; p < P; ++p) store(whole + p * kLanes<T>, sum[r][p]);
                std::copy(whole, whole + there, job.rows_of + (i + r) * job.classes + k);
            }
        }
    }

    template <int P>
    LUCE_INLINE static void pull_back(const NarrowJob<T>& job, T* sums, std::int64_t k, std::int64_t begin,
                                      std::int64_t end) {
        constexpr int R = rows(P);
        const std::int64_t width = job.width, features = job.features;
        const std::int64_t there = std::min<std::int64_t>(P * kLanes<T>, job.classes - k);
        for (std::int64_t i = begin; i < end; i += R) {
            Vec<T> piece[R][P];
            const T* x[R];
            LUCE_UNROLL for (int r = 0; r < R; ++r) {
                T whole[P * kLanes<T>] = {};
                if (i + r < end) {
                    const T* from = job.rows_of + (i + r) * job.classes + k;
                    std::copy(from, from + there, whole);
                }
                LUCE_UNROLL for (int p = 0; p < P; ++p) piece[r][p] = load(whole + p * kLanes<T>);
                x[r] = job.X + std::min(i + r, end - 1) * features;
            }
            T* a = sums + k;
            for (std::int64_t j = 0; j < features; ++j, a += width) {
                Vec<T> sum[P];
                LUCE_UNROLL for (int p = 0; p < P; ++p) sum[p] = load(a + p * kLanes<T>);
                LUCE_UNROLL for (int r = 0; r < R; ++r) {
                    const Vec<T> value = splat(x[r][j]);
                    LUCE_UNROLL for (int p = 0; p < P; ++p) sum[p] = fma(value, piece[r][p], sum[p]);
                }
                LUCE_UNROLL for (int p = 0; p < P; ++p) store(a + p * kLanes<T>, sum[p]);
            }
        }
    }
};

// f(k, number of vectors as a constant) for the classes in panels of up to three vectors
template <class T, class F>
LUCE_INLINE void over_panels(const NarrowJob<T>& job, const F& f) {
    constexpr std::int64_t W = kLanes<T>;
    for (std::int64_t k = 0; k < job.width; k += NarrowPanel<T>::kMost * W) {
        const std::int64_t vectors = (job.width - k) / W;
        if (vectors >= 3)
            f(k, std::integral_constant<int, 3>{});
        else if (vectors == 2)
            f(k, std::integral_constant<int, 2>{});
        else
            f(k, std::integral_constant<int, 1>{});
    }
}

template <class T>
void narrow_scores(const NarrowJob<T>& job, std::int64_t begin, std::int64_t end) {
    using P = NarrowPanel<T>;
    for (std::int64_t i = begin; i < end; i += P::kTile)
        over_panels(job, [&](std::int64_t k, auto vectors) __attribute__((always_inline)) {
            P::template scores<decltype(vectors)::value>(job, k, i, std::min(i + P::kTile, end));
        });
}

// Adds to `total` (features, width) in double; single sums are taken over stretches of rows only.
template <class T>
void narrow_pull_back(const NarrowJob<T>& job, double* total, std::int64_t begin, std::int64_t end) {
    using P = NarrowPanel<T>;
    constexpr std::int64_t stretch = sizeof(T) == 4 ? 8 * P::kTile : std::int64_t(1) << 62;
    const std::int64_t size = job.features * job.width;
    std::vector<T> sums(static_cast<std::size_t>(size));
    for (std::int64_t first = begin; first < end; first += std::min(stretch, end - first)) {
        const std::int64_t last = first + std::min(stretch, end - first);
        for (std::int64_t i = first; i < last; i += P::kTile)
            over_panels(job, [&](std::int64_t k, auto vectors) __attribute__((always_inline)) {
                P::template pull_back<decltype(vectors)::value>(job, sums.data(), k, i, std::min(i + P::kTile, last));
            });
        for (std::int64_t n = 0; n < size; ++n) {
            total[n] += double(sums[std::size_t(n)]);
            sums[std::size_t(n)] = 0;
        }
    }
}

template <class T>
constexpr NarrowKernels<T> narrow_kernels() {
    return {narrow_scores<T>, narrow_pull_back<T>, kLanes<T>};
}

}  // namespace luce::LUCE_LEVEL
