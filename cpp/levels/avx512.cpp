// x86-64 with AVX-512 F, BW, DQ and VL (servers from 2017, Zen 4 and later).
#include "common.hpp"

#if defined(__x86_64__)
#define LUCE_LEVEL avx512
#define LUCE_BYTES 64
#define LUCE_FMA 1
#define LUCE_FMA_INTRINSIC(x86, arm) _mm512_fmadd_##x86
#define LUCE_MAX_INTRINSIC(x86, arm) _mm512_max_##x86

namespace luce::avx512 {
inline constexpr int kColumnClasses = 48;
static bool supported() {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma");
}
}  // namespace luce::avx512

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,fma")
#endif

#include "../lanes.inl"
#include "../narrow.inl"
#include "../rows.inl"
#include "../sixteen.inl"
#include "../sparse.inl"

#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif

namespace luce::avx512 {
extern const Level level;
constinit const Level level{"avx512",
                            supported,
                            kernels<float>(),
                            kernels<double>(),
                            total,
                            sparse_table(),
                            narrow_kernels<float>(),
                            narrow_kernels<double>(),
                            half_kernels<BFloat16>(),
                            half_kernels<Float16>()};
}  // namespace luce::avx512
#endif
