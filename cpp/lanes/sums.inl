// Sums of many vectors with about twice the precision of their type; compiled once per level.
#pragma once

#include "wide.inl"

namespace luce::LUCE_LEVEL {

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

}  // namespace luce::LUCE_LEVEL
