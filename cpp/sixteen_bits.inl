// Rows of 16 bits, bfloat16 and IEEE binary16, to float and, rounded once to the nearest (ties to even), back; compiled
// once per level. Loops that the compiler vectorises: one form for every machine, with integers instead of instructions
// that only some have.
#pragma once

#include "lanes/vector.inl"

namespace luce::LUCE_LEVEL {

LUCE_INLINE std::int32_t bits_of(float x) { return __builtin_bit_cast(std::int32_t, x); }
LUCE_INLINE float float_of(std::int32_t x) { return __builtin_bit_cast(float, x); }

// x shifted down by `n` bits, rounded to the nearest
template <int n>
LUCE_INLINE std::int32_t shift_rounded(std::int32_t x) {
    const std::uint32_t bits = std::uint32_t(x);
    return std::int32_t(bits + (1 << (n - 1)) - 1 + (bits >> n & 1)) >> n;
}

struct BFloat16 {  // the upper half of a float
    LUCE_INLINE static float widen(std::uint16_t h) { return float_of(std::int32_t(std::uint32_t(h) << 16)); }
    LUCE_INLINE static std::uint16_t round(float x) {
        return std::uint16_t(x == x ? shift_rounded<16>(bits_of(x)) : 0x7fc0);
    }
};

struct Float16 {  // 5 bits of exponent, 10 of mantissa
    static constexpr std::int32_t kRebias = (127 - 15) << 23, kSmallest = kRebias + (1 << 23);  // 2^-14, normal

    LUCE_INLINE static float widen(std::uint16_t h) {
        const std::int32_t size = (h & 0x7fff) << 13;
        const std::int32_t normal = size + kRebias + (size >= 0x7c00 << 13 ? kRebias : 0);
        // a subnormal's bits, put behind 2^-14, are what the number is above 2^-14
        const std::int32_t subnormal = bits_of(float_of(size + kSmallest) - float_of(kSmallest));
        return float_of((size < 1 << 23 ? subnormal : normal) | std::int32_t(std::uint32_t(h & 0x8000) << 16));
    }
    LUCE_INLINE static std::uint16_t round(float x) {
        const std::int32_t b = bits_of(x), size = b & 0x7fffffff;
        const std::int32_t rounded = shift_rounded<13>(size - kRebias);
        const std::int32_t normal = rounded < 0x7c00 ? rounded : 0x7c00;
        // next to 1/2, a float's last bit is worth 2^-24, as a subnormal's
        const std::int32_t subnormal = bits_of(float_of(size) + 0.5f) - bits_of(0.5f);
        const std::int32_t h = size < kSmallest ? subnormal : normal;
        return std::uint16_t(x == x ? h | (b >> 16 & 0x8000) : 0x7e00);
    }
};

template <class H>
void widen_all(const std::uint16_t* __restrict from, float* __restrict to, std::int64_t size) {
    for (std::int64_t i = 0; i < size; ++i) to[i] = H::widen(from[i]);
}
template <class H>
void round_all(const float* __restrict from, std::uint16_t* __restrict to, std::int64_t size) {
    for (std::int64_t i = 0; i < size; ++i) to[i] = H::round(from[i]);
}

template <class H>
constexpr HalfKernels half_kernels() {
    return {widen_all<H>, round_all<H>};
}

}  // namespace luce::LUCE_LEVEL
