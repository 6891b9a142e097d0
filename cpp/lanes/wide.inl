// As many doubles as a vector has lanes, whatever its type: what rows are summed and finished in; compiled once per
// level.
#pragma once

#include "vector.inl"

namespace luce::LUCE_LEVEL {

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

}  // namespace luce::LUCE_LEVEL
