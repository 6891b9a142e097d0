// What is written out beside a block's logits: a target with mass everywhere, and the logits transformed.
#pragma once

#include "block.inl"

namespace luce::LUCE_LEVEL {

// of all that stays in the buffer
template <class T, bool Columns, Mode mode>
void Block<T, Columns, mode>::prepare_held() {
    if constexpr (Columns)
        prepare(columns, 0, 0);
    else
        for (int l = 0; l < rows && whole < job.classes; ++l)
            if (live(l)) prepare(ends[l], kTile + l * W, l);
}

// of row l, at `place` of the buffers
template <class T, bool Columns, Mode mode>
void Block<T, Columns, mode>::prepare(Tile<T>& t, std::int64_t place, int l) {
    if constexpr (kPair) {
        transform.rows(t.z, t.size, about[l], buffer.u + place, buffer.low + place, buffer.slope + place,
                       buffer.curve + place);
        t.u = buffer.u + place, t.low = buffer.low + place;
        t.slope = buffer.slope + place, t.curve = buffer.curve + place;
    }
    if constexpr (kSpread) {
        t.target = buffer.target + place;
        if constexpr (Columns)
            write_columns_target();
        else
            write_row_target(t, buffer.target + place, l);
    }
}

// A row's target in [at, at + n)
template <class T, bool Columns, Mode mode>
void Block<T, Columns, mode>::write_row_target(Tile<T>& t, T* target, int l) {
    const std::int64_t at = t.at, n = std::min(t.size, job.classes - at);
    const T background = T(job.background);
    if (job.dense) {
        const T* const given = job.dense + (row + l) * job.classes + at;
        if (n == t.size && job.given_share == 1 && background == 0 && !job.weight) {
            t.target = given;
            return;
        }
        for (std::int64_t i = 0; i < n; ++i) target[i] = given[i] * T(job.given_share) + background;
    } else {
        const T rest = T(job.background + (job.tail ? job.given_share * job.tail[row + l] : 0.0));
        for (std::int64_t i = 0; i < n; ++i) target[i] = rest;
    }
    if (job.weight)
        for (std::int64_t i = 0; i < n; ++i) target[i] *= job.weight[at + i];
    for (std::int64_t i = n; i < t.size; ++i) target[i] = 0;
    if (live(l)) write_listed_target(target, l, at, n, 1);
}

template <class T, bool Columns, Mode mode>
void Block<T, Columns, mode>::write_columns_target() {
    T* const target = buffer.target;
    if (job.dense) {
        gather(job.dense, target);
        for (std::int64_t j = 0; j < job.classes; ++j)
            store(target + j * W, load(target + j * W) * splat(T(job.given_share)) + splat(T(job.background)));
    } else {
        double rest[W];
        for (int l = 0; l < W; ++l)
            rest[l] = job.background + (job.tail && l < rows ? job.given_share * job.tail[row + l] : 0.0);
        const V b = narrow(wide_load<T>(rest));
        for (std::int64_t j = 0; j < job.classes; ++j) store(target + j * W, b);
    }
    if (job.weight)
        for (std::int64_t j = 0; j < job.classes; ++j)
            store(target + j * W, load(target + j * W) * splat(job.weight[j]));
    for (int l = 0; l < rows; ++l)
        if (live(l))
            write_listed_target(target + l, l, 0, job.classes, W);
        else
            for (std::int64_t j = 0; j < job.classes; ++j) target[j * W + l] = T(0);
}

// listed classes get no share of the tail; classes listed twice add up
template <class T, bool Columns, Mode mode>
void Block<T, Columns, mode>::write_listed_target(T* target, int l, std::int64_t at, std::int64_t n,
                                                  std::int64_t stride) {
    const std::int64_t first = (row + l) * job.n_listed;
    for (int add = 0; add < 2; ++add)
        for (std::int64_t slot = 0; slot < job.n_listed; ++slot) {
            const std::int64_t y = job.indices[first + slot];
            if (y < at || y >= at + n) continue;
            T& t = target[(y - at) * stride];
            const double base = job.background * (job.weight ? double(job.weight[y]) : 1.0);
            t = T(add ? double(t) + listed_value(first + slot) : base);
        }
}

}  // namespace luce::LUCE_LEVEL
