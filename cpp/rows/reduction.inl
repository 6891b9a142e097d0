// What a pass found in the rows of a block, brought to one number a row, each in its lane. Rows that are spread over
// the lanes are reduced together, by a transposition: some five instructions a row instead of thirty.
#pragma once

#include "block.inl"

namespace luce::LUCE_LEVEL {

template <class T, bool Columns, Mode mode>
void Block<T, Columns, mode>::put(int which, int l, Row& to, Row v) {
    if constexpr (Columns) {
        to = v;
    } else {
        for (int i = 1; i < Row::kParts; ++i) v.part[0] += v.part[i];
        store(buffer.sum[which][l], v.part[0]);
    }
}

template <class T, bool Columns, Mode mode>
void Block<T, Columns, mode>::collect(int which, Row& to) const {
    constexpr int L = kLanes<double>;
    for (int p = 0; p < Row::kParts; ++p) {
        D m[L];
        LUCE_UNROLL for (int i = 0; i < L; ++i) m[i] = load(buffer.sum[which][p * L + i]);
        transpose<double>(m);
        to.part[p] = pairwise<L>(m);
    }
}

template <class T, bool Columns, Mode mode>
void Block<T, Columns, mode>::put_maximum(int l, V v) {
    if constexpr (Columns)
        z_max = v;
    else
        store(buffer.maximum[l], v);
}

template <class T, bool Columns, Mode mode>
void Block<T, Columns, mode>::collect_maximum() {
    V m[W];
    LUCE_UNROLL for (int i = 0; i < W; ++i) m[i] = load(buffer.maximum[i]);
    transpose<T>(m);
    LUCE_UNROLL for (int n = W / 2; n > 0; n /= 2) LUCE_UNROLL for (int i = 0; i < n; ++i) m[i] = max(m[i], m[i + n]);
    z_max = m[0];
}

template <class T, bool Columns, Mode mode>
void Block<T, Columns, mode>::put_position(int l, Int<T> v) {
    if constexpr (Columns)
        top_position = v;
    else
        store(buffer.position[l], (V)v);
}

template <class T, bool Columns, Mode mode>
void Block<T, Columns, mode>::collect_position() {
    V m[W];
    LUCE_UNROLL for (int i = 0; i < W; ++i) m[i] = load(buffer.position[i]);
    transpose<T>(m);
    top_position = (Int<T>)m[0];
    LUCE_UNROLL for (int i = 1; i < W; ++i) top_position = (Int<T>)m[i] > top_position ? (Int<T>)m[i] : top_position;
}

}  // namespace luce::LUCE_LEVEL
