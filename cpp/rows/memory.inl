// The way of a block's rows from memory to its buffer and back, and what rows get that count for nothing.
#pragma once

#include "block.inl"

namespace luce::LUCE_LEVEL {

// What stays in the buffer throughout: short rows as columns, or the ends of long rows, which fill no vector.
template <class T, bool Columns, Mode mode>
void Block<T, Columns, mode>::hold() {
    if constexpr (Columns) {
        if (!job.place) fetch(job.logits, row + W), fetch(job.grad, row);
        gather(job.logits, buffer.z);
        if (job.vector) gather(job.vector, buffer.vector);
        for (int l = 0; l < rows && !all_alive; ++l)
            if (!alive[l])  // nothing that a dropped row holds may matter
                for (std::int64_t j = 0; j < job.classes; ++j) buffer.z[j * W + l] = buffer.vector[j * W + l] = T(0);
        columns = {0,       whole,   buffer.z,      buffer.z,    nullptr,       nullptr,
                   nullptr, nullptr, buffer.vector, buffer.grad, buffer.product};
    } else {
        for (int l = 0; l < rows && whole < job.classes; ++l) {
            // the ends of the rows, filled up with classes that can't happen
            const std::int64_t first = (row + l) * job.classes, place = kTile + l * W;
            const std::int64_t n = job.classes - whole;
            store(buffer.z + place,
                  load_first(job.logits + first + whole, n, splat(-std::numeric_limits<T>::infinity())));
            if (job.vector) store(buffer.vector + place, load_first(job.vector + first + whole, n, splat(T(0))));
            ends[l] = {whole,
                       W,
                       buffer.z + place,
                       buffer.z + place,
                       nullptr,
                       nullptr,
                       nullptr,
                       nullptr,
                       buffer.vector + place,
                       buffer.grad + place,
                       buffer.product + place};
        }
    }
}

// The rows of a block lie side by side but are walked in parallel, which the hardware does not foresee.
template <class T, bool Columns, Mode mode>
void Block<T, Columns, mode>::fetch(const T* from, std::int64_t first) const {
    if (!from || first + W > job.rows) return;
    const char* p = reinterpret_cast<const char*>(from + first * job.classes);
    const std::int64_t bytes = W * job.classes * std::int64_t(sizeof(T));
    for (std::int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(p + i);
}

// rows of memory to columns of the buffer
template <class T, bool Columns, Mode mode>
void Block<T, Columns, mode>::gather(const T* from, T* to) const {
    const T* const limit = from + (job.place ? job.entries : (row + rows) * job.classes);
    for (std::int64_t j = 0; j < job.classes; j += W) {
        V m[W];
        for (int l = 0; l < W; ++l) {
            const T* p = l < rows ? from + first_of(l) + j : limit;
            // past the row's end: lanes that are not kept
            m[l] = p + W <= limit ? load(p) : load_first(p, std::clamp<std::int64_t>(limit - p, 0, W), splat(T(0)));
        }
        transpose<T>(m);
        const int n = int(std::min<std::int64_t>(W, job.classes - j));
        for (int i = 0; i < n; ++i) store(to + (j + i) * W, m[i]);
    }
}

// and back. Whole vectors are stored from the last columns to the first and from the first row to the last, so that
// what runs over a row's end is overwritten by its right value; the block's end is never crossed. Rows that do not
// follow each other end where they end.
template <class T, bool Columns, Mode mode>
void Block<T, Columns, mode>::scatter(const T* from, T* to) const {
    T* const limit = to + (row + rows) * job.classes;
    for (std::int64_t j = (job.classes - 1) / W * W; j >= 0; j -= W) {
        V m[W];
        const int n = int(std::min<std::int64_t>(W, job.classes - j));
        for (int i = 0; i < W; ++i) m[i] = i < n ? load(from + (j + i) * W) : V{};
        transpose<T>(m);
        for (int l = 0; l < rows; ++l) {
            T* p = to + first_of(l) + j;
            if (job.place ? n == W : p + W <= limit)
                store(p, m[l]);
            else
                store_first(p, n, m[l]);
        }
    }
}

template <class T, bool Columns, Mode mode>
void Block<T, Columns, mode>::deliver(const T* from, T* to) const {
    if constexpr (Columns) {
        scatter(from, to);
    } else {
        for (int l = 0; l < rows && whole < job.classes; ++l)
            if (live(l))
                store_first(to + (row + l) * job.classes + whole, job.classes - whole, load(from + kTile + l * W));
    }
}

template <class T, bool Columns, Mode mode>
void Block<T, Columns, mode>::write(double* to, Row value) const {
    to += row;
    if (rows == W && all_alive) {
        wide_store(to, value);
    } else {
        double l[W];
        wide_store(l, value);
        for (int i = 0; i < rows; ++i) to[i] = live(i) ? l[i] : 0.0;
    }
}

// What a dropped row gets; the passes leave it out, and nothing reads what its lane holds meanwhile.
template <class T, bool Columns, Mode mode>
void Block<T, Columns, mode>::skip_dropped() {
    if (Columns || all_alive) return;
    for (int l = 0; l < rows; ++l)
        if (!live(l))
            for (T* result : {job.grad, job.product})
                if (result) std::fill_n(result + (row + l) * job.classes, job.classes, T(0));
}

}  // namespace luce::LUCE_LEVEL
