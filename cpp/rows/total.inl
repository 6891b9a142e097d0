// The sum of doubles, the same at every level; compiled once per level.
#pragma once

#include "../lanes/sums.inl"

namespace luce::LUCE_LEVEL {

// Eight lanes at every level, each compensated, then the lanes likewise.
static double total(const double* x, std::int64_t size) {
    constexpr int W = kLanes<double>, kParts = 8 / W;
    Sum<double> sum[kParts];
    for (std::int64_t i = 0; i < size; i += 8)
        for (int p = 0; p < kParts; ++p) {
            const std::int64_t at = i + p * W;
            sum[p].add(at + W <= size ? load(x + at)
                                      : load_first(x + at, std::clamp<std::int64_t>(size - at, 0, W), D{}));
        }
    double high[8], low[8], s = 0, lost = 0, plain = 0;
    for (int p = 0; p < kParts; ++p) {
        store(high + p * W, sum[p].high);
        store(low + p * W, sum[p].low);
    }
    for (int l = 0; l < 8; ++l) {
        double e;
        plain += high[l];
        two_sum(s, high[l], s, e);
        lost += e + low[l];
    }
    return std::isfinite(plain) ? s + lost : plain;  // once the sum is infinite there is nothing to compensate
}

}  // namespace luce::LUCE_LEVEL
