// The vector of one instruction-set level and what its elements are computed with; compiled once per level, which says
// first what it has (see levels/level.inl).
//
// Vectors are the compiler's own (GCC and Clang): `a * b + c` is what it says, and contraction is switched off in the
// build, so that error-free transformations stay error-free. What the compiler has no operator for is in this folder
// alone. Constructors are written out because those that GCC makes up are not compiled for the level.
#pragma once

namespace luce::LUCE_LEVEL {

#define LUCE_INLINE inline __attribute__((always_inline))
#define LUCE_APART __attribute__((noinline))
#define LUCE_UNROLL _Pragma("GCC unroll 16")

// ---------------------------------------------------------------------------------------------------- types

template <class T>
struct Lane;
template <>
struct Lane<float> {
    using Bits = std::int32_t;
    typedef float Vec __attribute__((vector_size(LUCE_BYTES)));
    typedef float Loose __attribute__((vector_size(LUCE_BYTES), aligned(4), may_alias));
    typedef float Half __attribute__((vector_size(LUCE_BYTES / 2)));
    typedef std::int32_t Int __attribute__((vector_size(LUCE_BYTES)));
    typedef std::uint32_t Unsigned __attribute__((vector_size(LUCE_BYTES)));
};
template <>
struct Lane<double> {
    using Bits = std::int64_t;
    typedef double Vec __attribute__((vector_size(LUCE_BYTES)));
    typedef double Loose __attribute__((vector_size(LUCE_BYTES), aligned(8), may_alias));
    typedef std::int64_t Int __attribute__((vector_size(LUCE_BYTES)));
    typedef std::uint64_t Unsigned __attribute__((vector_size(LUCE_BYTES)));
};

template <class T>
using Vec = typename Lane<T>::Vec;
template <class T>
using Int = typename Lane<T>::Int;
template <class T>
using Unsigned =
    typename Lane<T>::Unsigned;  // bits that are added: a sum of integers that leaves its type is undefined
using F = Vec<float>;
using D = Vec<double>;

template <class T>
inline constexpr int kLanes = LUCE_BYTES / sizeof(T);

template <class T>
LUCE_INLINE Vec<T> splat(T x) {
    return x - Vec<T>{};  // x - 0 keeps every x, -0 included
}
template <class T>
LUCE_INLINE Int<T> splat_int(typename Lane<T>::Bits x) {
    return x - Int<T>{};
}
template <class T>
LUCE_INLINE Vec<T> load(const T* p) {
    return *reinterpret_cast<const typename Lane<T>::Loose*>(p);
}
template <class T>
LUCE_INLINE void store(T* p, Vec<T> v) {
    *reinterpret_cast<typename Lane<T>::Loose*>(p) = v;
}

// The first n lanes, 0 <= n <= W, from and to memory that holds no more; the other lanes of a load are the filler.
template <class T>
LUCE_INLINE Vec<T> load_first(const T* p, std::int64_t n, Vec<T> filler) {
#if defined(__x86_64__) && LUCE_BYTES == 64
    const unsigned mask = (1u << n) - 1;
    if constexpr (sizeof(T) == 4)
        return (Vec<T>)_mm512_mask_loadu_ps((__m512)filler, __mmask16(mask), p);
    else
        return (Vec<T>)_mm512_mask_loadu_pd((__m512d)filler, __mmask8(mask), p);
#else
    T part[kLanes<T>];
    store(part, filler);
    for (std::int64_t i = 0; i < n; ++i) part[i] = p[i];
    return load(part);
#endif
}
template <class T>
LUCE_INLINE void store_first(T* p, std::int64_t n, Vec<T> v) {
#if defined(__x86_64__) && LUCE_BYTES == 64
    const unsigned mask = (1u << n) - 1;
    if constexpr (sizeof(T) == 4)
        _mm512_mask_storeu_ps(p, __mmask16(mask), (__m512)v);
    else
        _mm512_mask_storeu_pd(p, __mmask8(mask), (__m512d)v);
#else
    T part[kLanes<T>];
    store(part, v);
    for (std::int64_t i = 0; i < n; ++i) p[i] = part[i];
#endif
}

// a·b + c, rounded once where the level can
LUCE_INLINE F fma(F a, F b, F c) {
#if LUCE_FMA
    return (F)LUCE_FMA_INTRINSIC(ps, f32)(a, b, c);
#else
    return a * b + c;
#endif
}
LUCE_INLINE D fma(D a, D b, D c) {
#if LUCE_FMA
    return (D)LUCE_FMA_INTRINSIC(pd, f64)(a, b, c);
#else
    return a * b + c;
#endif
}
// the larger; b where either is NaN or the order is undecided, which the callers don't rely on
LUCE_INLINE F max(F a, F b) { return (F)LUCE_MAX_INTRINSIC(ps, f32)(a, b); }
LUCE_INLINE D max(D a, D b) { return (D)LUCE_MAX_INTRINSIC(pd, f64)(a, b); }

// ------------------------------------------------------------------------------------ error-free transformations

// s + e = a + b exactly (Knuth)
template <class V>
LUCE_INLINE void two_sum(V a, V b, V& s, V& e) {
    s = a + b;
    V bb = s - a;
    e = (a - (s - bb)) + (b - bb);
}
// the same where |a| >= |b| (Dekker)
template <class V>
LUCE_INLINE void fast_two_sum(V a, V b, V& s, V& e) {
    s = a + b;
    e = b - (s - a);
}
// p + e = a·b exactly
LUCE_INLINE void two_prod(D a, D b, D& p, D& e) {
    p = a * b;
#if LUCE_FMA
    e = fma(a, b, -p);
#else  // Veltkamp's splitting and Dekker's product
    const D split = splat(134217729.0);
    D ta = a * split, tb = b * split;
    D ah = ta - (ta - a), bh = tb - (tb - b);
    D al = a - ah, bl = b - bh;
    e = ((ah * bh - p) + ah * bl + al * bh) + al * bl;
#endif
}

// --------------------------------------------------------------------------------------------------- transposition

// A W×W block, in place: log2 W rounds of the perfect shuffle (Stone 1971).
template <class T, std::size_t... I>
LUCE_INLINE void interleave(Vec<T> a, Vec<T> b, Vec<T>& low, Vec<T>& high, std::index_sequence<I...>) {
    constexpr int W = kLanes<T>;
    low = __builtin_shufflevector(a, b, (I / 2 + (I % 2) * W)...);
    high = __builtin_shufflevector(a, b, (W / 2 + I / 2 + (I % 2) * W)...);
}
template <class T>
LUCE_INLINE void transpose(Vec<T> (&m)[kLanes<T>]) {
    constexpr int W = kLanes<T>;
    LUCE_UNROLL for (int round = 1; round < W; round *= 2) {
        Vec<T> n[W];
        LUCE_UNROLL for (int i = 0; i < W / 2; ++i)
            interleave<T>(m[i], m[i + W / 2], n[2 * i], n[2 * i + 1], std::make_index_sequence<W>{});
        LUCE_UNROLL for (int i = 0; i < W; ++i) m[i] = n[i];
    }
}

}  // namespace luce::LUCE_LEVEL
