// The vector of one instruction-set level and the elementary functions on it; compiled once per level (see isa.hpp).
//
// A level defines before it includes this file:
//   LUCE_LEVEL   its namespace                     LUCE_BYTES   the width of its vector registers in bytes
//   LUCE_FMA     1 if it has fused multiply-add    LUCE_FMA_INTRINSIC / LUCE_MAX_INTRINSIC(type)   its instructions
//
// Vectors are the compiler's own (GCC and Clang): `a * b + c` is what it says, and contraction is switched off in the
// build, so that error-free transformations stay error-free. What the compiler has no operator for is in this file
// alone. Constructors are written out because those that GCC makes up are not compiled for the level.

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

// ------------------------------------------------------------------------------ the same number of lanes in double

// W doubles beside the W lanes of Vec<T>: where rows are summed and finished.
template <class T>
struct Wide {
    static constexpr int kParts = sizeof(double) / sizeof(T);
    D part[kParts];
};
#define LUCE_WIDE_OPERATOR(op)                                                                    \
    template <class T>                                                                            \
    LUCE_INLINE Wide<T> operator op(Wide<T> a, Wide<T> b) {                                       \
        LUCE_UNROLL for (int i = 0; i < Wide<T>::kParts; ++i) a.part[i] = a.part[i] op b.part[i]; \
        return a;                                                                                 \
    }
LUCE_WIDE_OPERATOR(+)
LUCE_WIDE_OPERATOR(-)
LUCE_WIDE_OPERATOR(*)
LUCE_WIDE_OPERATOR(/)
#undef LUCE_WIDE_OPERATOR

template <class T>
LUCE_INLINE Wide<T> wide_splat(double x) {
    Wide<T> r;
    LUCE_UNROLL for (int i = 0; i < Wide<T>::kParts; ++i) r.part[i] = splat(x);
    return r;
}
template <class T>
LUCE_INLINE Wide<T> wide_load(const double* p) {
    Wide<T> r;
    LUCE_UNROLL for (int i = 0; i < Wide<T>::kParts; ++i) r.part[i] = load(p + i * kLanes<double>);
    return r;
}
template <class T>
LUCE_INLINE void wide_store(double* p, Wide<T> v) {
    LUCE_UNROLL for (int i = 0; i < Wide<T>::kParts; ++i) store(p + i * kLanes<double>, v.part[i]);
}
// a == b ? yes : no, lane by lane
template <class T>
LUCE_INLINE Wide<T> where_equal(Wide<T> a, Wide<T> b, Wide<T> yes, Wide<T> no) {
    LUCE_UNROLL for (int i = 0; i < Wide<T>::kParts; ++i) no.part[i] =
        a.part[i] == b.part[i] ? yes.part[i] : no.part[i];
    return no;
}

// a < b ? yes : no
template <class T>
LUCE_INLINE Wide<T> where_less(Wide<T> a, Wide<T> b, Wide<T> yes, Wide<T> no) {
    LUCE_UNROLL for (int i = 0; i < Wide<T>::kParts; ++i) no.part[i] = a.part[i] < b.part[i] ? yes.part[i] : no.part[i];
    return no;
}
template <class T>
LUCE_INLINE Wide<T> size(Wide<T> a) {
    LUCE_UNROLL for (int i = 0; i < Wide<T>::kParts; ++i) a.part[i] = a.part[i] < D{} ? -a.part[i] : a.part[i];
    return a;
}

LUCE_INLINE Wide<double> widen(D v) { return {{v}}; }
LUCE_INLINE D narrow(Wide<double> w) { return w.part[0]; }

// GCC 12 converts the 64-byte vectors in pieces (2.6 times the row's time at 100 classes), hence the intrinsics.
LUCE_INLINE D widen_half(Lane<float>::Half v) {
#if defined(__x86_64__) && LUCE_BYTES == 64
    return (D)_mm512_cvtps_pd((__m256)v);
#else
    return __builtin_convertvector(v, D);
#endif
}
LUCE_INLINE Lane<float>::Half narrow_half(D v) {
#if defined(__x86_64__) && LUCE_BYTES == 64
    return (Lane<float>::Half)_mm512_cvtpd_ps((__m512d)v);
#else
    return __builtin_convertvector(v, Lane<float>::Half);
#endif
}
template <std::size_t... I>
LUCE_INLINE Wide<float> widen_halves(F v, std::index_sequence<I...>) {
    return {{widen_half(__builtin_shufflevector(v, v, I...)),
             widen_half(__builtin_shufflevector(v, v, (I + sizeof...(I))...))}};
}
LUCE_INLINE Wide<float> widen(F v) { return widen_halves(v, std::make_index_sequence<kLanes<double>>{}); }
template <std::size_t... I>
LUCE_INLINE F narrow_halves(Wide<float> w, std::index_sequence<I...>) {
    return __builtin_shufflevector(narrow_half(w.part[0]), narrow_half(w.part[1]), I...);
}
LUCE_INLINE F narrow(Wide<float> w) { return narrow_halves(w, std::make_index_sequence<kLanes<float>>{}); }

// ---------------------------------------------------------------------------------------------------- exponential

template <class T>
struct ExpTable;
// log 2 = ln2_high + ln2_low with ln2_high short enough that k·ln2_high is exact for every k that occurs (|k| < 2^11
// and 2^13): Cody and Waite's reduction. The polynomials interpolate exp on |r| <= (log 2)/2 at Chebyshev nodes;
// relative error 1.1e-8 (0.09 eps) and 9.7e-19 (0.004 eps), found with 60 digits.
template <>
struct ExpTable<float> {
    static constexpr float log2e = 0x1.715476p+0f, ln2_high = 0x1.62e0p-1f, ln2_low = 0x1.0bfbe8p-15f;
    static constexpr float round = 0x1.8p23f;  // adding it leaves the nearest integer in the low bits
    static constexpr int mantissa = 23, bias = 127;
    static constexpr float direct = 512.0f;  // largest |maximum| that needs no subtraction, see Exp
    static constexpr int terms = 7;
    static constexpr float poly[terms] = {
        0x1.6d113cp-10f, 0x1.120ba2p-7f, 0x1.55551ap-5f, 0x1.5554dcp-3f, 0.5f, 1.0f, 1.0f};
};
template <>
struct ExpTable<double> {
    static constexpr double log2e = 0x1.71547652b82fep+0, ln2_high = 0x1.62e42fefa2p-1, ln2_low = 0x1.9ef35793c7673p-41;
    static constexpr double ln2_middle = 0x1.9ef35793c6p-41, ln2_last = 0x1.673007e5ed5e8p-81;
    static constexpr double round = 0x1.8p52;
    static constexpr int mantissa = 52, bias = 1023;
    static constexpr double direct = 4096.0;
    static constexpr int terms = 13;
    static constexpr double poly[terms] = {0x1.1f66f85dfa20ap-29,
                                           0x1.af38d53857513p-26,
                                           0x1.27e4e1ea0f53ap-22,
                                           0x1.71de0d9c145d0p-19,
                                           0x1.a01a01a47db6fp-16,
                                           0x1.a01a01a7c8d47p-13,
                                           0x1.6c16c16c167dep-10,
                                           0x1.11111111109adp-7,
                                           0x1.5555555555555p-5,
                                           0x1.5555555555556p-3,
                                           0.5,
                                           1.0,
                                           1.0};
};

// exp(u) scaled by a power of two that depends on the row alone.
//
// Subtracting the maximum in floating point costs digits: u - max rounds, and the error of half an ulp of, say, 60 is
// 30 ulp of exp. The reduction u = k·log 2 + r is exact on u itself, so the maximum enters only as an integer in the
// exponent:
//     exp(u) = 2^(k - K + room) · exp(r),    K = round(max / log 2).
// Beyond `direct` the maximum is subtracted first; that is exact wherever the result is not 0 (Sterbenz: u >= max/2).
// The largest term is about 2^room, so that terms down to 2^-(126 + room) of it stay normal numbers.
template <class T>
struct Exp {
    static constexpr int kRoom = sizeof(T) == 4 ? 32 : 64;        // as a rule
    static constexpr int kWideRoom = sizeof(T) == 4 ? 118 : 480;  // for terms that are multiplied by something large
    Vec<T> origin;                                                // 0, or the maximum
    Unsigned<T> scale;                                            // exponent bits of 2^(room - K)
    Vec<T> floor;                                                 // below it the term is 0

    LUCE_INLINE void start(Vec<T> maximum, Vec<T> room) {
        using E = ExpTable<T>;
        Vec<T> zero{};
        Vec<T> size = maximum < zero ? -maximum : maximum;
        origin = size > splat(E::direct) ? maximum : zero;
        Vec<T> rest = maximum - origin;
        Vec<T> k = (rest * splat(E::log2e) + splat(E::round)) - splat(E::round);
        scale = (Unsigned<T>)(room - k + splat(E::round + E::bias)) << E::mantissa;
        floor = (k - room - splat(T(E::bias - 2))) * splat(T(0.69314718055994530942));
    }
    // `low` is what u lacks to the true logit when that is no single number (temperature, softcap)
    template <bool Pair>
    LUCE_INLINE Vec<T> term(Vec<T> u, Vec<T> low) const {
        using E = ExpTable<T>;
        Vec<T> d = u - origin;
        Vec<T> rounded = fma(d, splat(E::log2e), splat(E::round));
        Vec<T> k = rounded - splat(E::round);
        Vec<T> r = fma(k, splat(-E::ln2_low), fma(k, splat(-E::ln2_high), d));
        if constexpr (Pair) r += low;
        Vec<T> p = splat(E::poly[0]);
        LUCE_UNROLL for (int i = 1; i < E::terms; ++i) p = fma(p, r, splat(E::poly[i]));
        // a product, not an addition to the exponent's bits: NaN stays NaN
        Vec<T> e = p * (Vec<T>)(((Unsigned<T>)rounded << E::mantissa) + scale);
        return d < floor ? Vec<T>{} : e;
    }
};

// exp(-y) for y >= 0, in double
LUCE_INLINE D exp_minus(D y) {
    Exp<double> exp;
    exp.origin = D{};
    exp.scale = (Unsigned<double>)splat(1.0);
    exp.floor = splat(-708.7);  // the smallest power that is a normal number still does
    return exp.term<false>(-y, D{});
}

// ------------------------------------------------------------------------------------------------------- logarithm

// log(1 + x) for x >= 0, within about an ulp. 1 + x = y + c with c the rounding error of the sum; y = 2^k·(1 + g),
// |g| <= √2 - 1; with s = g/(2 + g), log(1 + g) = 2 atanh(s) = g - g²/2 + s·(g²/2 + R(s²)), R(w) = 2w/3 + 2w²/5 + …
// (the arrangement that keeps the leading term exact; see e.g. Muller, Elementary Functions, 3rd ed., ch. 11).
LUCE_INLINE D log1p(D x) {
    const D one = splat(1.0);
    D y = one + x;
    D c = x < one ? x - (y - one) : one - (y - x);
    Int<double> bits = (Int<double>)y;
    // exponent as a double without a conversion: its bits in the mantissa of 2^52
    Int<double> exponent = (Int<double>)((Unsigned<double>)bits >> 52);
    D k = (D)(exponent | splat_int<double>(0x4330000000000000)) - splat(0x1p52 + 1023.0);
    D m = (D)((bits & splat_int<double>(0x000fffffffffffff)) | splat_int<double>(0x3ff0000000000000));
    auto large = m > splat(1.4142135623730951);
    D g = (large ? m * splat(0.5) : m) - one;
    k = large ? k + one : k;
    D s = g / (splat(2.0) + g);
    D w = s * s;
    D r = splat(2.0 / 23);
    LUCE_UNROLL for (int n = 21; n >= 3; n -= 2) r = fma(r, w, splat(2.0 / n));
    r = r * w;
    D half_square = splat(0.5) * g * g;
    D correction = c / y + k * splat(ExpTable<double>::ln2_low);
    D result = k * splat(ExpTable<double>::ln2_high) + (g - (half_square - (s * (half_square + r) + correction)));
    // NaN and infinity come through; an x so small that nothing else is left comes back itself
    return x < splat(std::numeric_limits<double>::infinity()) ? result : x;
}
template <class T>
LUCE_INLINE Wide<T> log1p(Wide<T> x) {
    LUCE_UNROLL for (int i = 0; i < Wide<T>::kParts; ++i) x.part[i] = log1p(x.part[i]);
    return x;
}

// ---------------------------------------------------------------------------------------------------------- sums

// A sum of many Vec<T>, lane by lane, with about twice the precision of T: float in double, double compensated.
template <class T>
struct Sum;
template <>
struct Sum<float> {
    Wide<float> high;
    LUCE_INLINE Sum() : high(wide_splat<float>(0)) {}
    LUCE_INLINE void add(F v) { high = high + widen(v); }
    LUCE_INLINE Wide<float> total() const { return high; }
};
template <>
struct Sum<double> {
    D high, low;
    LUCE_INLINE Sum() : high(splat(0.0)), low(splat(0.0)) {}
    LUCE_INLINE void add(D v) {
        D e;
        two_sum(high, v, high, e);
        low += e;
    }
    // once the sum is infinite there is nothing to compensate
    LUCE_INLINE Wide<double> total() const { return {{low == low ? high + low : high}}; }
};
// v[0] + … + v[U-1], pairwise
template <int U, class V>
LUCE_INLINE V pairwise(const V* v) {
    if constexpr (U == 1)
        return v[0];
    else
        return pairwise<U / 2>(v) + pairwise<U - U / 2>(v + U / 2);
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
