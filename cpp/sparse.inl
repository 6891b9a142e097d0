// Sparse rows times a few dense columns, and the transpose of that; compiled once per level on top of lanes.inl.
//
// A row of the sparse matrix holds values v_e at places j_e; the dense matrices have K classes beside each other, so that
// each stored value costs one read of K neighbours:
//     gather   out_i   += Σ_e v_e · dense_{j_e}          rows are independent
//     scatter  out_{j} += v_e · dense_i                  classes are independent; rows are taken in order
// Classes are taken in panels of N, the largest power of two that fits, up to as many as fill eight registers.
//
// Either way the sum of an entry is taken in an order that no division of the work changes.

namespace luce::LUCE_LEVEL {

// N neighbours in whole vectors of the level, or in one shorter vector.
template <class T, int N>
struct Panel {
    static constexpr int kParts = std::max(1, N / kLanes<T>), kWidth = N / kParts;
    typedef T V __attribute__((vector_size(kWidth * sizeof(T))));
    typedef T Loose __attribute__((vector_size(kWidth * sizeof(T)), aligned(sizeof(T)), may_alias));

    template <class S>
    LUCE_INLINE static V load(const S* p) {
        typedef S Source __attribute__((vector_size(kWidth * sizeof(S)), aligned(sizeof(S)), may_alias));
        if constexpr (std::is_same_v<S, T>)
            return *reinterpret_cast<const Source*>(p);
        else if constexpr (kWidth == kLanes<T>)
            return widen_half((Lane<float>::Half)*reinterpret_cast<const Source*>(p));
        else
            return __builtin_convertvector(*reinterpret_cast<const Source*>(p), V);
    }
    LUCE_INLINE static void add(T* p, V x) {
        Loose& to = *reinterpret_cast<Loose*>(p);
        to = to + x;
    }
};

template <class Out>
inline constexpr int kWidestPanel = 8 * kLanes<Out>;

// Every `chains`-th value goes to a sum of its own: the additions to one wait for each other.
template <int N, class T, class I, class Out>
LUCE_INLINE void gather_panel(const T* value, const I* index, std::int64_t count, const T* dense, std::int64_t classes,
                              Out* out) {
    using P = Panel<Out, N>;
    constexpr int chains = P::kParts >= 4 ? 1 : 4 / P::kParts;
    typename P::V sum[chains][P::kParts] = {};
    std::int64_t e = 0;
    for (; e + chains <= count; e += chains)
        LUCE_UNROLL for (int c = 0; c < chains; ++c) {
            const T* row = dense + std::int64_t(index[e + c]) * classes;
            LUCE_UNROLL for (int p = 0; p < P::kParts; ++p) sum[c][p] =
                sum[c][p] + Out(value[e + c]) * P::load(row + p * P::kWidth);
        }
    for (; e < count; ++e) {
        const T* row = dense + std::int64_t(index[e]) * classes;
        LUCE_UNROLL for (int p = 0; p < P::kParts; ++p) sum[0][p] =
            sum[0][p] + Out(value[e]) * P::load(row + p * P::kWidth);
    }
    LUCE_UNROLL for (int c = 1; c < chains; ++c)
        LUCE_UNROLL for (int p = 0; p < P::kParts; ++p) sum[0][p] = sum[0][p] + sum[c][p];
    LUCE_UNROLL for (int p = 0; p < P::kParts; ++p) P::add(out + p * P::kWidth, sum[0][p]);
}

template <int N, class T, class I, class Out>
LUCE_INLINE void scatter_panel(const T* value, const I* index, std::int64_t count, const T* dense, std::int64_t classes,
                               Out* out) {
    using P = Panel<Out, N>;
    typename P::V row[P::kParts];
    LUCE_UNROLL for (int p = 0; p < P::kParts; ++p) row[p] = P::load(dense + p * P::kWidth);
    for (std::int64_t e = 0; e < count; ++e) {
        Out* to = out + std::int64_t(index[e]) * classes;
        LUCE_UNROLL for (int p = 0; p < P::kParts; ++p) P::add(to + p * P::kWidth, Out(value[e]) * row[p]);
    }
}

// Classes [k, last) of row i.
template <bool Scatter, int N, class T, class I, class Out>
LUCE_INLINE void sparse_row(const SparseJob<T, I, Out>& job, std::int64_t i, std::int64_t k, std::int64_t last) {
    const std::int64_t begin = job.start[i], count = job.start[i + 1] - begin, at = i * job.classes;
    for (; k + N <= last; k += N)
        if constexpr (Scatter)
            scatter_panel<N>(job.value + begin, job.index + begin, count, job.dense + at + k, job.classes, job.out + k);
        else
            gather_panel<N>(job.value + begin, job.index + begin, count, job.dense + k, job.classes, job.out + at + k);
    if constexpr (N > 1) sparse_row<Scatter, N / 2>(job, i, k, last);
}

template <class T, class I, class Out>
void gather(const SparseJob<T, I, Out>& job, std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) sparse_row<false, kWidestPanel<Out>>(job, i, 0, job.classes);
}

template <class T, class I, class Out>
void scatter(const SparseJob<T, I, Out>& job, std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = 0; i < job.rows; ++i) sparse_row<true, kWidestPanel<Out>>(job, i, begin, end);
}

template <class T, class I, class Out>
SparseKernels<T, I, Out> sparse_kernels() {
    return {gather<T, I, Out>, scatter<T, I, Out>};
}

static SparseTable sparse_table() {
    return {sparse_kernels<float, std::int32_t, float>(),   sparse_kernels<float, std::int64_t, float>(),
            sparse_kernels<float, std::int32_t, double>(),  sparse_kernels<float, std::int64_t, double>(),
            sparse_kernels<double, std::int32_t, double>(), sparse_kernels<double, std::int64_t, double>()};
}

}  // namespace luce::LUCE_LEVEL
