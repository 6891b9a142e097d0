// The sums of a block: each row's maximum, rest and ties, its loss, and the factors that make derivatives of its terms.
#pragma once

#include "block.inl"
#include "passes.inl"

namespace luce::LUCE_LEVEL {

template <class T, bool Columns, Mode mode>
template <bool Keep, bool Track, bool Statistics>
void Block<T, Columns, mode>::summarise() {
    if constexpr (!kSpread) read_listed();
    sweep<Maximum>();
    u_max = kPair ? V{} : z_max;
    largest = widen(z_max);
    Row largest_low = wide_splat<T>(0);
    if constexpr (kPair) look_about(largest_low);
    if constexpr (kSpread) prepare_held();
    balance();
    exp.start(u_max, job.product ? splat(T(Exp<T>::kRoom)) : room);
    sweep<Summary<Keep, Track, Statistics>>();
    const Row top_term = widen(exp.template term<false>(u_max, V{})), one = wide_splat<T>(1);
    // no finite maximum: NaN for the whole row
    rest = rest + widen(z_max - z_max);
    const Row sum = ties * top_term + rest;
    inverse_sum = one / sum;
    log_sum = log1p((ties - one) + rest / top_term);
    lse = largest + (log_sum + largest_low);
    if constexpr (kSpread && !Statistics) {
        alpha = beside + at_top;
        loss = loss + alpha * log_sum;
        alpha = alpha + wide_splat<T>(job.mass);
    }
}

// Each row's maximum, about which its logits are transformed, and the largest u.
template <class T, bool Columns, Mode mode>
void Block<T, Columns, mode>::look_about(Row& low) {
    if constexpr (Columns) {
        about[0] = transform.row(z_max);
        about[0].largest(largest, low);
    } else {
        double high[W] = {}, rest[W] = {};
        for (int l = 0; l < rows; ++l) {
            if (!live(l)) continue;
            about[l] = transform.row(splat(z_max[l]));
            Row u, v;
            about[l].largest(u, v);
            high[l] = u.part[0][0], rest[l] = v.part[0][0];
        }
        largest = wide_load<T>(high), low = wide_load<T>(rest);
    }
}

// What the terms are multiplied by, r·factor/temperature and α + 2ζ·lse, may be of any size. Where a coefficient
// would leave the type, the terms get more room, and what is still amiss is a power of two that the results get at
// the end.
template <class T, bool Columns, Mode mode>
void Block<T, Columns, mode>::balance() {
    if (scales.usual) return;
    double r[W], u[W], g[W], h[W];
    wide_store(r, row_scale), wide_store(u, largest), wide_store(g, scale), wide_store(h, curved_scale);
    for (int l = 0; l < rows; ++l) {
        after[l] = after_product[l] = 0;
        buffer.distant.row[l] = false;
        const double mass = job.z_loss == 0 ? 1 : 1 + 2 * job.z_loss * (std::abs(u[l]) + 20);  // α + 2ζ·lse, roughly
        if (!live(l) || r[l] * job.factor == 0 || !std::isfinite(r[l]) || mass != mass) continue;
        if (mass > scales.kMost) {
            buffer.distant.row[l] = some_distant = rescaled = true;
            room[l] = T(Exp<T>::kWideRoom);
            continue;
        }
        if (scales.fit(g[l], h[l], mass)) continue;
        const auto b = scales.balanced(r[l], mass);
        g[l] = b.gradient, h[l] = b.product, bend[l] = T(b.bend), room[l] = T(b.room);
        after[l] = b.after, after_product[l] = b.after_product;
        rescaled = true;
    }
    if (rescaled) scale = wide_load<T>(g), curved_scale = wide_load<T>(h);
}

// What products with a vector were summed without.
template <class T, bool Columns, Mode mode>
void Block<T, Columns, mode>::widen_room() {
    if (!rescaled) return;
    exp.start(u_max, room);
    double more[W];
    for (int l = 0; l < W; ++l) more[l] = std::ldexp(1.0, int(room[l]) - Exp<T>::kRoom);
    rest = rest * wide_load<T>(more);
    inverse_sum = inverse_sum / wide_load<T>(more);
}

// Multiply what is in memory by a row's power of two, in steps that are numbers of the type.
template <class T, bool Columns, Mode mode>
void Block<T, Columns, mode>::rescale(T* to, const int (&powers)[W]) const {
    constexpr int step = std::numeric_limits<T>::max_exponent - 2;
    if (!rescaled) return;
    for (int l = 0; l < rows; ++l) {
        T* const first = to + first_of(l);
        for (int left = powers[l], n; left != 0; left -= n) {
            n = std::clamp(left, -step, step);
            const T power = T(std::ldexp(1.0, n));
            for (std::int64_t j = 0; j < job.classes; ++j) first[j] *= power;
        }
    }
}

// Differences of opposite extremes are infinite, their shares of the loss need not be.
template <class T, bool Columns, Mode mode>
void Block<T, Columns, mode>::find_lost_distances() {
    double l[W];
    wide_store(l, loss);
    bool lost = false;
    for (int i = 0; i < rows; ++i) lost |= live(i) && l[i] == std::numeric_limits<double>::infinity();
    if (!lost) return;
    sweep<Distance>();
    const Row infinity = wide_splat<T>(std::numeric_limits<double>::infinity());
    const Row unit = wide_splat<T>(kPair && transform.capped ? 1 : 4 / job.temperature);
    loss = where_equal(loss, infinity, unit * distance + alpha * log_sum, loss);
}

// α, Σ t·(lse - u), and the factors of the gradient
template <class T, bool Columns, Mode mode>
void Block<T, Columns, mode>::weigh_target() {
    const Row zero = wide_splat<T>(0);
    if constexpr (!kSpread) {
        alpha = wide_splat<T>(job.mass);
        beside = at_top = zero;
        loss = log_sum - log_sum;  // 0, or NaN
        for (std::int64_t slot = 0; slot < job.n_listed; ++slot) {
            const Listed entry = listed(slot);
            const Row v = entry.value, gap = widen(u_max) - widen(entry.u);
            alpha = alpha + v;
            beside = beside + where_equal(gap, zero, zero, v);
            at_top = at_top + where_equal(gap, zero, v, zero);
            loss = loss + where_equal(v, zero, zero, v * (gap + log_sum));  // 0·∞ = 0
        }
    }
    const Row slack = job.z_loss == 0 ? zero : wide_splat<T>(2 * job.z_loss) * lse;
    mass = alpha + slack;
    factors.coefficient = narrow(mass * inverse_sum * scale);
    factors.target_scale = narrow(scale);
    const Row q = rest * inverse_sum, one = wide_splat<T>(1);
    factors.top = narrow(((beside + slack) - mass * q) * scale);
    // Of the two forms of a unique maximum's entry, the one whose terms are smaller loses less.
    const Row other_form = size(mass) * (one - q) + at_top, own_form = beside + size(slack) + size(mass) * q;
    own = where_less(own_form, other_form, where_equal(ties, one, one, zero), zero);
    factors.impossible = factors.coefficient - factors.coefficient;  // 0, or NaN in a row of NaN
    factors.iota = iota;
    if (some_distant) weigh_distant();
    if constexpr (kSpread) factors.unique_top = narrow(own) == splat(T(1)) ? top_position : splat_int<T>(-1);
}

}  // namespace luce::LUCE_LEVEL
