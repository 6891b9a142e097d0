// Sparse rows times a few dense columns; compiled once per level on top of lanes.inl.
//
// A row of the sparse matrix holds values v_e at places j_e; the dense matrices have K classes beside each other, so
// that a stored value costs one read of K neighbours:
//     out_i += Σ_e v_e · dense_{j_e}
// Classes are taken in panels, each a power of two wide. A row's sum depends on that row alone.

namespace luce::LUCE_LEVEL {

// N neighbours in whole vectors of the level, or in one shorter vector.
template <class T, int N>
struct Panel {
    static constexpr int kParts = std::max(1, N / kLanes<T>), kWidth = N / kParts;
    typedef T V __attribute__((vector_size(kWidth * sizeof(T))));
    typedef T Loose __attribute__((vector_size(kWidth * sizeof(T)), aligned(sizeof(T)), may_alias));

    // GCC 12 converts vectors in pieces (5 times the time of a product of 300 classes), hence the intrinsics
    template <class S>
    LUCE_INLINE static V load(const S* p) {
        typedef S Source __attribute__((vector_size(kWidth * sizeof(S)), aligned(sizeof(S)), may_alias));
        if constexpr (std::is_same_v<S, T>) return *reinterpret_cast<const Source*>(p);
#if defined(__x86_64__)
        else if constexpr (kWidth == 2)
            return (V)_mm_cvtps_pd(_mm_castsi128_ps(_mm_loadl_epi64(reinterpret_cast<const __m128i_u*>(p))));
#endif
#if defined(__x86_64__) && LUCE_BYTES >= 32
        else if constexpr (kWidth == 4)
            return (V)_mm256_cvtps_pd(_mm_loadu_ps(p));
#endif
#if defined(__x86_64__) && LUCE_BYTES == 64
        else if constexpr (kWidth == 8)
            return (V)_mm512_cvtps_pd(_mm256_loadu_ps(p));
#endif
        else
            return __builtin_convertvector(*reinterpret_cast<const Source*>(p), V);
    }
    LUCE_INLINE static void put(T* p, V x) { *reinterpret_cast<Loose*>(p) = x; }
    LUCE_INLINE static void add(T* p, V x) { put(p, load(p) + x); }
    LUCE_INLINE static V multiply_add(V a, V b, V c) {
        if constexpr (kWidth == kLanes<T>)
            return fma(a, b, c);
        else
            return a * b + c;
    }
    template <class S>
    LUCE_INLINE static void add_product(V* sum, S value, const S* row) {
        const V v = T(value) - V{};
        LUCE_UNROLL for (int p = 0; p < kParts; ++p) sum[p] = multiply_add(v, load(row + p * kWidth), sum[p]);
    }
};

// as many registers as the sums of a panel may take
inline constexpr int kPanel = 8;

// The matrix that rows are gathered from. A panel may reach beyond its row by up to `kReach` values: mostly into the
// next row, whose values then fill lanes that nobody looks at; rows with too little behind them are read from a copy.
template <class T>
struct Source {
    static constexpr std::int64_t kReach = LUCE_BYTES / sizeof(T);
    std::int64_t classes, safe;  // rows [0, safe) are read in place
    const T* dense;
    std::vector<T> end;

    Source(const T* dense_, std::int64_t columns, std::int64_t classes_)
        : classes(classes_), safe(std::max<std::int64_t>(0, columns - kReach / classes_ - 1)), dense(dense_) {
        end.resize(std::size_t((columns - safe) * classes + kReach));
        std::copy(dense + safe * classes, dense + columns * classes, end.begin());
    }
    LUCE_INLINE const T* row(std::int64_t j) const {
        return j < safe ? dense + j * classes : end.data() + (j - safe) * classes;
    }
};

// Every `chains`-th value goes to a sum of its own: the additions to one wait for each other.
template <int N, class T, class I, class Out>
LUCE_INLINE void gather_row(const T* value, const I* index, std::int64_t count, const Source<T>& source, std::int64_t k,
                            std::int64_t width, Out* out) {
    using P = Panel<Out, N>;
    constexpr int chains = P::kParts >= 4 ? 1 : 4 / P::kParts;
    typename P::V sum[chains][P::kParts] = {};
    std::int64_t e = 0;
    for (; e + chains <= count; e += chains)
        LUCE_UNROLL for (int c = 0; c < chains; ++c) P::add_product(sum[c], value[e + c], source.row(index[e + c]) + k);
    for (; e < count; ++e) P::add_product(sum[0], value[e], source.row(index[e]) + k);
    LUCE_UNROLL for (int c = 1; c < chains; ++c) LUCE_UNROLL for (int p = 0; p < P::kParts; ++p) sum[0][p] += sum[c][p];
    if (width == N) {
        LUCE_UNROLL for (int p = 0; p < P::kParts; ++p) P::add(out + p * P::kWidth, sum[0][p]);
    } else {
        Out part[N];
        LUCE_UNROLL for (int p = 0; p < P::kParts; ++p) P::put(part + p * P::kWidth, sum[0][p]);
        for (std::int64_t n = 0; n < width; ++n) out[n] += part[n];
    }
}

// Classes from k on: whole panels of N, then smaller ones; the last is the least power of two that holds the rest.
template <int N, class T, class I, class Out>
LUCE_INLINE void gather_rows(const SparseJob<T, I, Out>& job, const Source<T>& source, std::int64_t k,
                             std::int64_t begin, std::int64_t end) {
    constexpr bool last = N <= kLanes<Out>;
    while (k < job.classes && job.classes - k > (last ? N / 2 : N - 1)) {
        const std::int64_t width = std::min<std::int64_t>(N, job.classes - k);
        for (std::int64_t i = begin; i < end; ++i) {
            const std::int64_t at = job.start[i], count = job.start[i + 1] - at;
            if (count == 0) continue;
            gather_row<N>(job.value + at, job.index + at, count, source, k, width, job.out + i * job.classes + k);
        }
        k += width;
    }
    if constexpr (N > 1) gather_rows<N / 2>(job, source, k, begin, end);
}

template <class T, class I, class Out>
void gather(const SparseJob<T, I, Out>& job, std::int64_t begin, std::int64_t end) {
    gather_rows<kPanel * kLanes<Out>>(job, Source<T>(job.dense, job.columns, job.classes), 0, begin, end);
}

constexpr SparseTable sparse_table() {
    return {{gather<float, std::int32_t, float>},   {gather<float, std::int64_t, float>},
            {gather<float, std::int32_t, double>},  {gather<float, std::int64_t, double>},
            {gather<double, std::int32_t, double>}, {gather<double, std::int64_t, double>}};
}

}  // namespace luce::LUCE_LEVEL
