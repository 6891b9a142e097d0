// x86-64 with AVX2 and FMA (2013 and later).
#include "common.hpp"

#if defined(__x86_64__)
#define LUCE_LEVEL avx2
#define LUCE_BYTES 32
#define LUCE_FMA 1
#define LUCE_FMA_INTRINSIC(x86, arm) _mm256_fmadd_##x86
#define LUCE_MAX_INTRINSIC(x86, arm) _mm256_max_##x86

namespace luce::avx2 {
inline constexpr int kColumnClasses = 32;
static bool supported() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
}  // namespace luce::avx2

#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
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

namespace luce::avx2 {
extern const Level level;
constinit const Level level{"avx2",
                            supported,
                            kernels<float>(),
                            kernels<double>(),
                            total,
                            sparse_table(),
                            narrow_kernels<float>(),
                            narrow_kernels<double>(),
                            half_kernels<BFloat16>(),
                            half_kernels<Float16>()};
}  // namespace luce::avx2
#endif
