// The passes of a block over its classes, and the sweep that takes a pass through all rows.
#pragma once

#include "block.inl"

namespace luce::LUCE_LEVEL {

// ---------------------------------------------------------------------------------------------- one vector of classes

template <class T, bool Columns, Mode mode>
auto Block<T, Columns, mode>::term(const Exp<T>& exp, const Tile<T>& t, std::int64_t j) -> V {
    if constexpr (kPair)
        return exp.template term<true>(load(t.u + j), load(t.low + j));
    else
        return exp.template term<false>(load(t.z + j), V{});
}

template <class T, bool Columns, Mode mode>
auto Block<T, Columns, mode>::direction(const Tile<T>& t, std::int64_t j, bool capped) -> V {
    V v = load(t.vector + j);
    if (kPair && capped) v *= load(t.slope + j);
    return v;
}

// (α + 2ζ·lse)·p - t, scaled, in u; without the listed classes' targets, which patch_listed adds
template <class T, bool Columns, Mode mode>
auto Block<T, Columns, mode>::gradient(const Factors& f, const Tile<T>& t, std::int64_t j, V e) -> V {
    V g = e * f.coefficient;
    if constexpr (kSpread) {
        auto top = f.iota + splat_int<T>(Index(t.at + j)) == f.unique_top;
        g = top ? f.top : g - load(t.target + j) * f.target_scale;
        g = (Int<T>)e < Int<T>{} ? f.impossible : g;
    }
    return g;
}

// -0 where the class is impossible, so that later passes know after the logits are gone
template <class T, bool Columns, Mode mode>
auto Block<T, Columns, mode>::mark_impossible(V z, V e) -> V {
    return z == splat(-std::numeric_limits<T>::infinity()) ? splat(T(-0.0)) : e;
}

// ------------------------------------------------------------------------------------------------------ the passes

template <class T, bool Columns, Mode mode>
struct Block<T, Columns, mode>::Maximum {
    static constexpr bool kBare = true;  // reads the logits alone
    V value;
    LUCE_INLINE Maximum(const Block&, int) : value(splat(-std::numeric_limits<T>::infinity())) {}
    LUCE_INLINE void finish(Block& b, int l) { b.put_maximum(l, value); }
    LUCE_INLINE static void collect(Block& b) { b.collect_maximum(); }
    template <int U>
    LUCE_INLINE void step(const Tile<T>& t, std::int64_t i) {
        V z[U];
        LUCE_UNROLL for (int k = 0; k < U; ++k) z[k] = load(t.z + i + k * W);
        LUCE_UNROLL for (int k = 1; k < U; ++k) z[0] = max(z[k], z[0]);
        value = max(z[0], value);  // passes over NaN, which the sum meets again
    }
};

// rest and ties; with a spread target also Σ t·(m - u) and the target's mass beside and at the maximum. `Keep`
// leaves the terms where the gradient will be, `Track` finds a position of the maximum. `Statistics` asks for
// Σ e·(m - u) instead of the target's, and for the first NaN or else the first maximum.
template <class T, bool Columns, Mode mode>
template <bool Keep, bool Track, bool Statistics>
struct Block<T, Columns, mode>::Summary {
    static constexpr bool kTarget = kSpread && !Statistics, kDistance = kSpread || Statistics;
    static constexpr bool kPosition = kSpread || Track || Statistics;
    static constexpr Index kNowhere = Statistics ? std::numeric_limits<Index>::min() : Index(-1);
    static constexpr bool kBare = false;
    const Exp<T> exp;
    const V z_max, u_max;
    const Int<T> iota;
    Sum<T> rest, distance, beside, at_top;
    V ties;
    Int<T> position;
    LUCE_INLINE Summary(const Block& b, int l)
        : exp(of(b.exp, l)),
          z_max(of(b.z_max, l)),
          u_max(of(b.u_max, l)),
          iota(b.iota),
          ties(splat(T(0))),
          position(splat_int<T>(kNowhere)) {}
    LUCE_INLINE void finish(Block& b, int l) {
        b.put(0, l, b.rest, rest.total());
        b.put(1, l, b.ties, widen(ties));
        if constexpr (kDistance) b.put(2, l, b.loss, distance.total());
        if constexpr (kTarget) {
            b.put(3, l, b.beside, beside.total());
            b.put(4, l, b.at_top, at_top.total());
        }
        if constexpr (kPosition) b.put_position(l, position);
    }
    LUCE_INLINE static void collect(Block& b) {
        b.collect(0, b.rest);
        b.collect(1, b.ties);
        if constexpr (kDistance) b.collect(2, b.loss);
        if constexpr (kTarget) {
            b.collect(3, b.beside);
            b.collect(4, b.at_top);
        }
        if constexpr (kPosition) b.collect_position();
    }

    template <int U>
    LUCE_INLINE void step(const Tile<T>& t, std::int64_t i) {
        const V zero{}, one = splat(T(1));
        V e[U], d[U], s[U], m[U];
        LUCE_UNROLL for (int k = 0; k < U; ++k) {
            const std::int64_t j = i + k * W;
            V z = load(t.z + j), u = load(t.u + j);  // before the terms are written, perhaps over them
            V e_j = term(exp, t, j);
            auto top = z == z_max;
            if constexpr (Keep) store(t.grad + j, kSpread ? mark_impossible(z, e_j) : e_j);
            ties += top ? one : zero;
            e[k] = top ? zero : e_j;
            if constexpr (kDistance) {
                V share = e_j, gap = u_max - u;
                if constexpr (kTarget) share = load(t.target + j);
                if constexpr (kPair) gap -= load(t.low + j);
                d[k] = share == zero ? zero : share * gap;  // 0·∞ = 0
                if constexpr (kTarget) {
                    s[k] = top ? zero : share;
                    m[k] = top ? share : zero;
                }
            }
            if constexpr (kPosition) {
                const Int<T> here = iota + splat_int<T>(Index(t.at + j));
                if constexpr (Statistics) {  // complements: the larger, the earlier; NaN with the sign flipped
                    Int<T> found = top ? ~here : splat_int<T>(kNowhere);
                    found = z != z ? ~here ^ splat_int<T>(kNowhere) : found;
                    position = found > position ? found : position;
                } else {
                    position = top ? here : position;
                }
            }
        }
        rest.add(pairwise<U>(e));
        if constexpr (kDistance) distance.add(pairwise<U>(d));
        if constexpr (kTarget) {
            beside.add(pairwise<U>(s));
            at_top.add(pairwise<U>(m));
        }
    }
};

template <class T, bool Columns, Mode mode>
template <bool Far>
struct Block<T, Columns, mode>::Gradient {
    static constexpr bool kBare = false;
    const Exp<T> exp;
    const Factors f;
    const bool capped;
    const V lowered;
    const Block& block;
    const int row;
    LUCE_INLINE Gradient(const Block& b, int l)
        : exp(of(b.exp, l)),
          f(of(b.factors, l)),
          capped(b.transform.capped),
          lowered(splat(T(b.transform.lowered))),
          block(b),
          row(l) {}
    LUCE_INLINE void finish(Block&, int) {}
    LUCE_INLINE static void collect(Block&) {}
    template <int U>
    LUCE_INLINE void step(const Tile<T>& t, std::int64_t i) {
        LUCE_UNROLL for (int k = 0; k < U; ++k) {
            const std::int64_t j = i + k * W;
            V e = kPair ? mark_impossible(load(t.z + j), term(exp, t, j)) : load(t.grad + j);
            V g = gradient(f, t, j, e);
            if (kPair && capped) g = g * load(t.slope + j) * lowered;
            if constexpr (Far) block.put_distant(t, j, row, e, g, nullptr, V{});
            store(t.grad + j, g);
        }
    }
};

// Σ e·(x - x_ref) with x = slope·v: shifted by its value at a peak of p, it loses nothing there
template <class T, bool Columns, Mode mode>
struct Block<T, Columns, mode>::Inner {
    static constexpr bool kBare = false;
    const Exp<T> exp;
    const V reference;
    const bool capped;
    Sum<T> sum;
    LUCE_INLINE Inner(const Block& b, int l)
        : exp(of(b.exp, l)), reference(of(b.reference, l)), capped(b.transform.capped) {}
    LUCE_INLINE void finish(Block& b, int l) { b.put(0, l, b.inner, sum.total()); }
    LUCE_INLINE static void collect(Block& b) { b.collect(0, b.inner); }
    template <int U>
    LUCE_INLINE void step(const Tile<T>& t, std::int64_t i) {
        V s[U];
        LUCE_UNROLL for (int k = 0; k < U; ++k) s[k] =
            term(exp, t, i + k * W) * (direction(t, i + k * W, capped) - reference);
        sum.add(pairwise<U>(s));
    }
};

// slope·H_u·x + g_u·curve·v
template <class T, bool Columns, Mode mode>
template <bool WithGradient, bool Far>
struct Block<T, Columns, mode>::Product {
    static constexpr bool kBare = false;
    const Exp<T> exp;
    const Factors f;
    const V reference, mean_offset, curvature, along, bend, lowered;
    const bool capped;
    const Block& block;
    const int row;
    LUCE_INLINE Product(const Block& b, int l)
        : exp(of(b.exp, l)),
          f(of(b.factors, l)),
          reference(of(b.reference, l)),
          mean_offset(of(b.mean_offset, l)),
          curvature(of(b.curvature, l)),
          along(of(b.along, l)),
          bend(of(b.bend, l)),
          lowered(splat(T(b.transform.lowered))),
          capped(b.transform.capped),
          block(b),
          row(l) {}
    LUCE_INLINE void finish(Block&, int) {}
    LUCE_INLINE static void collect(Block&) {}
    template <int U>
    LUCE_INLINE void step(const Tile<T>& t, std::int64_t i) {
        LUCE_UNROLL for (int k = 0; k < U; ++k) {
            const std::int64_t j = i + k * W;
            V e = term(exp, t, j);
            if constexpr (kSpread) e = mark_impossible(load(t.z + j), e);
            const V x = (direction(t, j, capped) - reference) - mean_offset;
            V h = e * fma(curvature, x, along), g{};
            if constexpr (kPair || WithGradient) {
                g = gradient(f, t, j, e);
                if (kPair && capped) {
                    // slope, curve and what h was computed with are lifted, which results lose at the end
                    h = h * lowered * load(t.slope + j) + g * (load(t.curve + j) * bend * load(t.vector + j));
                    h *= lowered;
                    g = g * load(t.slope + j) * lowered;
                }
            }
            if constexpr (Far) block.put_distant(t, j, row, e, g, &h, x);
            if constexpr (WithGradient) store(t.grad + j, g);
            store(t.product + j, h);
        }
    }
};

template <class T, bool Columns, Mode mode>
struct Block<T, Columns, mode>::Probability {
    static constexpr bool kBare = false;
    const Exp<T> exp;
    const V inverse_sum;
    LUCE_INLINE Probability(const Block& b, int l) : exp(of(b.exp, l)), inverse_sum(of(b.factors.coefficient, l)) {}
    LUCE_INLINE void finish(Block&, int) {}
    LUCE_INLINE static void collect(Block&) {}
    template <int U>
    LUCE_INLINE void step(const Tile<T>& t, std::int64_t i) {
        LUCE_UNROLL for (int k = 0; k < U; ++k) {
            const std::int64_t j = i + k * W;
            store(t.grad + j, (kPair ? term(exp, t, j) : load(t.grad + j)) * inverse_sum);
        }
    }
};

template <class T, bool Columns, Mode mode>
struct Block<T, Columns, mode>::LogProbability {
    static constexpr bool kBare = false;
    const V u_max, log_sum;
    LUCE_INLINE LogProbability(const Block& b, int l) : u_max(of(b.u_max, l)), log_sum(of(b.factors.coefficient, l)) {}
    LUCE_INLINE void finish(Block&, int) {}
    LUCE_INLINE static void collect(Block&) {}
    template <int U>
    LUCE_INLINE void step(const Tile<T>& t, std::int64_t i) {
        LUCE_UNROLL for (int k = 0; k < U; ++k) {
            const std::int64_t j = i + k * W;
            V d = load(t.u + j) - u_max;
            if constexpr (kPair) d += load(t.low + j);
            store(t.grad + j, d - log_sum);
        }
    }
};

// Σ t·(u_max - u) in double, for rows in which a difference of two logits left the type; without a softcap in units
// of 4/temperature, that of double, too
template <class T, bool Columns, Mode mode>
struct Block<T, Columns, mode>::Distance {
    static constexpr bool kBare = false;
    const Transform<T>& transform;
    const typename Transform<T>::About about;
    const V z_max;
    Row sum;
    LUCE_INLINE Distance(const Block& b, int l)
        : transform(b.transform), about(b.about[Columns ? 0 : l]), z_max(of(b.z_max, l)), sum(wide_splat<T>(0)) {}
    LUCE_INLINE void finish(Block& b, int l) { b.put(2, l, b.distance, sum); }
    LUCE_INLINE static void collect(Block& b) { b.collect(2, b.distance); }
    template <int U>
    LUCE_INLINE void step(const Tile<T>& t, std::int64_t i) {
        const Row quarter = wide_splat<T>(0.25), zero = wide_splat<T>(0);
        for (std::int64_t j = i; j < i + U * W; j += W) {
            const V z = load(t.z + j);
            const Row share = widen(load(t.target + j));
            const Row gap =
                kPair && transform.capped ? transform.gap(z, about) : quarter * widen(z_max) - quarter * widen(z);
            sum = sum + where_equal(share, zero, zero, share * gap);
        }
    }
};

// ------------------------------------------------------------------------------------------------------- the sweep

template <class T, bool Columns, Mode mode>
template <class Pass>
void Block<T, Columns, mode>::sweep() {
    if constexpr (Columns) {
        Pass pass(*this, 0);
        walk(columns, pass);
        pass.finish(*this, 0);
    } else {
        for (int l = 0; l < rows; ++l) {
            if (!live(l)) continue;
            Pass pass(*this, l);
            const std::int64_t first = (row + l) * job.classes;
            for (std::int64_t at = 0; at < whole; at += kTile) {
                const T* z = job.logits + first + at;
                Tile<T> t{at,
                          std::min(kTile, whole - at),
                          z,
                          z,
                          nullptr,
                          nullptr,
                          nullptr,
                          nullptr,
                          job.vector ? job.vector + first + at : nullptr,
                          job.grad ? job.grad + first + at : nullptr,
                          job.product ? job.product + first + at : nullptr};
                if constexpr (!Pass::kBare) prepare(t, 0, l);
                walk(t, pass);
            }
            if (whole < job.classes) walk(ends[l], pass);
            pass.finish(*this, l);
        }
        Pass::collect(*this);
    }
}

template <class T, bool Columns, Mode mode>
template <class Pass>
void Block<T, Columns, mode>::walk(const Tile<T>& t, Pass& pass) {
    std::int64_t i = 0;
    for (; i + 4 * W <= t.size; i += 4 * W) pass.template step<4>(t, i);
    if (t.size - i >= 2 * W) {
        pass.template step<2>(t, i);
        i += 2 * W;
    }
    if (i < t.size) pass.template step<1>(t, i);
}

}  // namespace luce::LUCE_LEVEL
