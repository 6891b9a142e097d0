// A block's target of a few listed classes: their places, logits and shares, and their entries of the gradient.
#pragma once

#include "block.inl"

namespace luce::LUCE_LEVEL {

template <class T, bool Columns, Mode mode>
auto Block<T, Columns, mode>::listed(std::int64_t slot) const -> Listed {
    Listed entry;
    find_places(slot, entry.place);
    entry.u = load(buffer.listed.data() + slot * W);
    if (!job.value && !job.weight && all_alive) {
        entry.value = wide_splat<T>(job.given_share);
    } else {
        double value[W] = {};
        for (int l = 0; l < rows; ++l)
            if (live(l)) value[l] = listed_value((row + l) * job.n_listed + slot);
        entry.value = wide_load<T>(value);
    }
    return entry;
}

template <class T, bool Columns, Mode mode>
double Block<T, Columns, mode>::listed_value(std::int64_t at) const {
    return (job.value ? double(job.value[at]) : 1.0) * job.given_share *
           (job.weight ? double(job.weight[job.indices[at]]) : 1.0);
}

// The place of a row's listed class: in the columns, or in the row.
template <class T, bool Columns, Mode mode>
void Block<T, Columns, mode>::find_places(std::int64_t slot, std::int64_t (&place)[W]) const {
    const std::int64_t* index = job.indices + row * job.n_listed + slot;
    if (all_alive && rows == W) {
        for (int l = 0; l < W; ++l) place[l] = Columns ? index[l * job.n_listed] * W + l : index[l * job.n_listed];
    } else {
        for (int l = 0; l < W; ++l) {
            const std::int64_t y = l < rows && live(l) ? index[l * job.n_listed] : 0;
            place[l] = Columns ? y * W + l : y;
        }
    }
}

// before a pass may write over the logits
template <class T, bool Columns, Mode mode>
void Block<T, Columns, mode>::read_listed() {
    for (std::int64_t slot = 0; slot < job.n_listed; ++slot) {
        std::int64_t place[W];
        find_places(slot, place);
        T* const u = buffer.listed.data() + slot * W;
        if constexpr (Columns) {
            for (int l = 0; l < W; ++l) u[l] = buffer.z[place[l]];
        } else {
            for (int l = 0; l < W; ++l) u[l] = l < rows ? job.logits[(row + l) * job.classes + place[l]] : T(0);
        }
    }
}

template <class T, bool Columns, Mode mode>
T& Block<T, Columns, mode>::gradient_at(int l, std::int64_t place) const {
    if constexpr (Columns) return buffer.grad[place];
    // the end of a row is still in the buffer
    return place < whole ? job.grad[(row + l) * job.classes + place] : buffer.grad[kTile + l * W + place - whole];
}

// -t of the listed classes, and the whole gradient of one that is the unique maximum
template <class T, bool Columns, Mode mode>
void Block<T, Columns, mode>::patch_listed() {
    if constexpr (!kSpread) {
        const V unique = narrow(own), one = splat(T(1));
        for (std::int64_t slot = 0; slot < job.n_listed; ++slot) {
            const Listed entry = listed(slot);
            T g[W] = {};
            for (int l = 0; l < rows; ++l) g[l] = gradient_at(l, entry.place[l]);
            V value = narrow(widen(load(g)) - entry.value * scale);
            V top = unique == one ? factors.top : value;
            value = entry.u == u_max ? top : value;
            value = entry.u == splat(-std::numeric_limits<T>::infinity()) ? factors.impossible : value;
            store(g, value);
            for (int l = 0; l < rows; ++l)
                if (live(l)) gradient_at(l, entry.place[l]) = g[l];
        }
    }
}

}  // namespace luce::LUCE_LEVEL
