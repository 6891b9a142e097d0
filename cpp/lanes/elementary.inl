// The exponential and the logarithm on vectors, to the last digits of their type; compiled once per level.
#pragma once

#include "wide.inl"

namespace luce::LUCE_LEVEL {

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

}  // namespace luce::LUCE_LEVEL
