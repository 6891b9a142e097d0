// u = softcap(z) / temperature, taken about the row's maximum; compiled once per level.
//
// Rounding u would cost |u|/2 ulp of exp(u), whatever is subtracted afterwards: with logits of -1e30 and a temperature
// of 0.7 no digit would be left. So the difference comes first, which is exact, and the division second:
//     u - u_max = (z - z_max) / temperature.
// Under a softcap, with x = z/cap, e = exp(-2|x|) and tanh|x| = (1 - e)/(1 + e), the difference of two tanh is taken
// where they are small, and where they are not, is the product
//     tanh a - tanh x = tanh(a - x)·2·(e_a + e_x)/((1 + e_a)(1 + e_x))        for a and x of the same sign,
//                       tanh(a - x)·2·(1 + e_a·e_x)/((1 + e_a)(1 + e_x))      otherwise,
// of which every factor keeps its digits. Rows of float are computed in double, rows of double in pairs.
#pragma once

#include "../lanes/elementary.inl"

namespace luce::LUCE_LEVEL {

// ------------------------------------------------------------------------------------------ pairs and doubles

// The unevaluated sum of two doubles (Dekker 1971); what is so large that its products leave the type has no second
// part.
struct DoubleDouble {
    D high, low;
};

LUCE_INLINE D size(D a) { return a < D{} ? -a : a; }
LUCE_INLINE DoubleDouble operator-(DoubleDouble a) { return {-a.high, -a.low}; }
LUCE_INLINE DoubleDouble operator+(DoubleDouble a, DoubleDouble b) {
    DoubleDouble s;
    D e;
    two_sum(a.high, b.high, s.high, e);
    fast_two_sum(s.high, e + (a.low + b.low), s.high, s.low);
    return s;
}
LUCE_INLINE DoubleDouble operator*(DoubleDouble a, DoubleDouble b) {
    DoubleDouble p;
    D e;
    two_prod(a.high, b.high, p.high, e);
    e += a.high * b.low + a.low * b.high;
    e = size(p.high) < splat(0x1p900) && size(a.high) < splat(0x1p900) ? e : D{};
    fast_two_sum(p.high, e, p.high, p.low);
    return p;
}
LUCE_INLINE DoubleDouble operator/(DoubleDouble a, DoubleDouble b) {
    DoubleDouble q;
    D p, e;
    q.high = a.high / b.high;
    two_prod(q.high, b.high, p, e);
    e = ((a.high - p) - e + a.low - q.high * b.low) / b.high;
    fast_two_sum(q.high, e, q.high, q.low);
    return q;
}
template <class M>
LUCE_INLINE DoubleDouble choose(M where, DoubleDouble a, DoubleDouble b) {
    return {where ? a.high : b.high, where ? a.low : b.low};
}
template <class M>
LUCE_INLINE D choose(M where, D a, D b) {
    return where ? a : b;
}
LUCE_INLINE D rounded(DoubleDouble a) { return a.high + a.low; }
LUCE_INLINE D rounded(D a) { return a; }

// What rows of T are transformed in.
template <class T>
struct Working;
template <>
struct Working<float> {
    using N = D;
    static constexpr double far = 0x1p20;  // |u_max| from which on a difference of two u misses digits
    LUCE_INLINE static N number(double high, double) { return splat(high); }
    LUCE_INLINE static N number(D a) { return a; }
    LUCE_INLINE static N difference(D a, D b) { return a - b; }
};
template <>
struct Working<double> {
    using N = DoubleDouble;
    static constexpr double far = 0x1p6;
    LUCE_INLINE static N number(double high, double low) { return {splat(high), splat(low)}; }
    LUCE_INLINE static N number(D a) { return {a, D{}}; }
    LUCE_INLINE static N difference(D a, D b) {
        N d;
        two_sum(a, -b, d.high, d.low);
        return d;
    }
};

// exp(-y) and 1 - exp(-y) for y >= 0, each to the last digits of N
template <class N>
struct Decay {
    N e, rest;
};

// x·2^k for integers k > -2000, in two steps: a result below the smallest normal number is rounded, not lost
LUCE_INLINE D times_power(D x, D k) {
    using E = ExpTable<double>;
    const D half = (k * splat(0.5) + splat(E::round)) - splat(E::round), shift = splat(E::round + E::bias);
    const D first = (D)((Unsigned<double>)(half + shift) << E::mantissa);
    const D second = (D)((Unsigned<double>)((k - half) + shift) << E::mantissa);
    return x * first * second;
}

LUCE_INLINE Decay<D> decay(D y) {
    using E = ExpTable<double>;
    const D k = fma(y, splat(-E::log2e), splat(E::round)) - splat(E::round), one = splat(1.0), zero{};
    const D r = fma(k, splat(-E::ln2_low), fma(k, splat(-E::ln2_high), -y));
    D p = splat(E::poly[0]);
    LUCE_UNROLL for (int i = 1; i < E::terms - 1; ++i) p = fma(p, r, splat(E::poly[i]));
    const D m = p * r;  // exp(r) - 1
    const D e = times_power(one + m, k);
    const auto gone = y > splat(760.0);
    return {gone ? zero : e, gone ? one : k == zero ? -m : one - e};
}

// relative errors below 2^-61
LUCE_INLINE Decay<DoubleDouble> decay(DoubleDouble y) {
    using E = ExpTable<double>;
    const D k = (y.high * splat(-E::log2e) + splat(E::round)) - splat(E::round), one = splat(1.0), zero{};
    D s, e1, e2, e3, t;
    D r = -y.high - k * splat(E::ln2_high);  // exact
    two_sum(r, -(k * splat(E::ln2_middle)), s, e1);
    D low = e1 - y.low - k * splat(E::ln2_last);
    fast_two_sum(s, low, r, low);
    // r + r²/2 + r³/6 in pairs, the rest, below 7e-4, in one
    D square, square_low, cube, cube_low, sixth, sixth_low;
    two_prod(r, r, square, square_low);
    two_prod(square, r, cube, cube_low);
    cube_low += square_low * r;
    two_prod(cube, splat(0x1.5555555555555p-3), sixth, sixth_low);
    sixth_low += cube_low * splat(0x1.5555555555555p-3) + cube * splat(0x1.5555555555555p-57);
    D p = splat(E::poly[0]);
    LUCE_UNROLL for (int i = 1; i < E::terms - 4; ++i) p = fma(p, r, splat(E::poly[i]));
    const D half = splat(0.5);
    two_sum(r, half * square, t, e2);
    two_sum(t, sixth, s, e3);
    low = (e2 + e3) + (low + low * (r + half * square) + half * square_low + sixth_low + square * square * p);
    DoubleDouble m, e, rest;  // m = exp(r) - 1
    fast_two_sum(s, low, m.high, m.low);
    fast_two_sum(one, m.high, e.high, e.low);
    fast_two_sum(e.high, e.low + m.low, e.high, e.low);
    e = {times_power(e.high, k), times_power(e.low, k)};
    fast_two_sum(one, -e.high, rest.high, rest.low);
    fast_two_sum(rest.high, rest.low - e.low, rest.high, rest.low);
    rest = choose(k == zero, -m, rest);
    const auto gone = y.high > splat(760.0);
    return {choose(gone, DoubleDouble{zero, zero}, e), choose(gone, DoubleDouble{one, zero}, rest)};
}

// ------------------------------------------------------------------------------------------- the transformation

// 1/d for any d > 0 as a number between 1 and 2 and two powers of two, none of which leaves the type
template <class N>
struct Reciprocal {
    double first = 1, second = 1;  // the first may be applied before a difference is taken
    N value;
};

// Under a softcap du/dz is kept times a power of two, which results lose at the end: a slope that is too small for the
// type, but not once it is divided by a temperature below 1, keeps its digits.
template <class T>
double lift(const Job<T>& job) {
    if (job.softcap == 0) return 1;
    int of_temperature;
    std::frexp(job.temperature, &of_temperature);
    return std::ldexp(1.0, std::clamp(-of_temperature, 0, sizeof(T) == 4 ? 60 : 500));
}

template <class T>
class Transform {
    using Of = Working<T>;
    using N = typename Of::N;
    static constexpr int kParts = Wide<T>::kParts;

  public:
    // What is the same for all classes of a row: its maximum; the maximum of u; under a softcap, exp(-2|z_max/cap|).
    struct About {
        D z_max[kParts];
        N u_max[kParts], e_max[kParts];
        bool far = false;  // whether some |u_max| is large
        // the first row's, or each row's, u_max = high + low
        LUCE_INLINE void largest(Wide<T>& high, Wide<T>& low) const {
            for (int i = 0; i < kParts; ++i) {
                low.part[i] = D{};
                set(high.part[i], low.part[i], u_max[i]);
                low.part[i] = low.part[i] == low.part[i] ? low.part[i] : D{};  // of an infinite one
            }
        }
    };

    explicit Transform(const Job<T>& job) : capped(job.softcap != 0), lowered(1 / lift(job)), lifted(4 * lift(job)) {
        if (!job.transformed()) return;
        int of_temperature, of_cap = 0;
        const double t = std::frexp(job.temperature, &of_temperature);
        const double c = std::frexp(capped ? job.softcap : 1.0, &of_cap);
        const int half = of_temperature / 2, rest = of_temperature - half;
        temperature.value = reciprocal(t);
        temperature.second = std::ldexp(1.0, of_temperature > 0 ? -rest : -half);
        if (of_temperature > 0)
            temperature.first = std::ldexp(1.0, -half);  // so that no difference leaves the type
        else
            temperature.value = scaled(temperature.value, std::ldexp(1.0, -rest));
        cap.value = reciprocal(c);
        cap.first = std::ldexp(1.0, -(of_cap / 2));
        cap.second = std::ldexp(1.0, -(of_cap - of_cap / 2));
        ratio = scaled(Of::number(splat(c)) * reciprocal(t),
                       std::ldexp(1.0, std::clamp(of_cap - of_temperature, -990, 990)));
    }

    LUCE_APART About row(const Vec<T>& z_max) const {
        About r;
        for (int i = 0; i < kParts; ++i) {
            const D z = widen(z_max).part[i];
            r.z_max[i] = z;
            if (capped) {
                const Capped x(*this, z);
                r.e_max[i] = x.decay.e;
                const N u = ratio * x.tanh();
                r.u_max[i] = choose(z < D{}, -u, u);
            } else {
                r.u_max[i] = tempered(z, D{});
            }
            const D far = size(rounded(r.u_max[i]));
            for (int l = 0; l < kLanes<double>; ++l) r.far |= far[l] > Of::far;
        }
        return r;
    }

    // u - u_max as an unevaluated sum; under a softcap du/dz and d²u/dz², times temperature (and cap) and lifted.
    // A class at -inf stays there.
    LUCE_APART void rows(const T* z, std::int64_t size, const About& row, T* u, T* low, T* slope, T* curve) const {
        const Vec<T> zero{}, nothing = splat(-std::numeric_limits<T>::infinity());
        for (std::int64_t j = 0; j < size; j += kLanes<T>) {
            const Vec<T> x = load(z + j);
            Wide<T> high, rest, first, second;
            for (int i = 0; i < kParts; ++i) {
                const D part = widen(x).part[i];
                const N d = capped ? below(part, row, i, first.part[i], second.part[i]) : tempered(part, row.z_max[i]);
                set(high.part[i], rest.part[i], d);
            }
            const auto impossible = x == nothing;
            const Vec<T> d = impossible ? x : narrow(high);
            store(u + j, d);
            store(low + j, d == nothing ? zero : remainder(high, rest, d));
            if (!capped) continue;
            store(slope + j, impossible ? zero : narrow(first));
            store(curve + j, impossible ? zero : narrow(second));
        }
    }

    // u_max - u in double
    LUCE_APART Wide<T> gap(const Vec<T>& z, const About& row) const {
        const D infinity = splat(std::numeric_limits<double>::infinity());
        Wide<T> u = widen(z);
        D low, slope, curve;
        for (int i = 0; i < kParts; ++i) {
            const D x = u.part[i];
            set(u.part[i], low, capped ? below(x, row, i, slope, curve) : tempered(x, row.z_max[i]));
            u.part[i] = x == -infinity ? infinity : -u.part[i];
        }
        return u;
    }

    const bool capped;
    const double lowered;  // 1/lift

  private:
    LUCE_INLINE static N reciprocal(double x) { return Of::number(splat(1.0)) / Of::number(splat(x)); }
    LUCE_INLINE static D scaled(D x, double power) { return x * splat(power); }
    LUCE_INLINE static DoubleDouble scaled(DoubleDouble x, double power) {
        return {x.high * splat(power), x.low * splat(power)};
    }
    LUCE_INLINE static void set(D& high, D&, D x) { high = x; }
    LUCE_INLINE static void set(D& high, D& low, DoubleDouble x) { high = x.high, low = x.low; }
    LUCE_INLINE static F remainder(Wide<float> u, Wide<float>, F high) { return narrow(u - widen(high)); }
    LUCE_INLINE static D remainder(Wide<double>, Wide<double> low, D) { return low.part[0]; }

    // (z - z_max) / temperature
    LUCE_INLINE N tempered(D z, D z_max) const {
        const D first = splat(temperature.first);
        return scaled(Of::difference(z * first, z_max * first), temperature.second) * temperature.value;
    }

    // in units of a power of two near the cap; the tanh is 1 or -1 to the last digit beyond the bound
    LUCE_INLINE D bounded(D z) const {
        const D bound = splat(1024.0), x = z * splat(cap.first) * splat(cap.second);
        return x > bound ? bound : x < -bound ? -bound : x;
    }

    // of x = z/cap
    struct Capped {
        D z;
        Decay<N> decay;
        LUCE_INLINE Capped(const Transform& t, D of) : z(t.bounded(of)) {
            const N x = Of::number(z) * t.cap.value;
            decay = LUCE_LEVEL::decay(scaled(choose(z < D{}, -x, x), 2));
        }
        LUCE_INLINE N sum() const { return Of::number(splat(1.0)) + decay.e; }
        LUCE_INLINE N tanh() const { return decay.rest / sum(); }  // of |x|
    };

    // u - u_max under a softcap
    LUCE_INLINE N below(D of, const About& row, int part, D& slope, D& curve) const {
        const Capped x(*this, of);
        const auto negative = of < D{};
        const N tanh = x.tanh(), u = ratio * tanh;
        const D s = rounded(x.sum());
        slope = splat(lifted) * rounded(x.decay.e) / (s * s);
        curve = splat(-2.0) * rounded(choose(negative, -tanh, tanh)) * slope;
        const N d = choose(negative, -u, u) + -row.u_max[part];
        return row.far ? far_below(x, row, part, d) : d;
    }
    LUCE_APART N far_below(const Capped& x, const About& row, int part, const N& near) const {
        const N one = Of::number(splat(1.0)), two = Of::number(splat(2.0)), top = row.e_max[part], e = x.decay.e;
        const Decay<N> between =
            LUCE_LEVEL::decay(scaled(Of::difference(bounded(row.z_max[part]), x.z) * cap.value, 2));
        const auto other_side = (x.z < D{}) != (row.z_max[part] < D{});
        const N share = choose(other_side, one + top * e, top + e) / ((one + top) * x.sum());
        const N product = -(ratio * (between.rest / (one + between.e) * (two * share)));
        return choose(size(rounded(row.u_max[part])) > splat(Of::far), product, near);
    }

    const double lifted;
    Reciprocal<N> temperature, cap;
    N ratio;  // cap/temperature
};

}  // namespace luce::LUCE_LEVEL
