// x86-64 with AVX2 and FMA (2013 and later).
#include "common.hpp"

#if defined(__x86_64__)
#define LUCE_LEVEL avx2
#define LUCE_INSTRUCTIONS "avx2,fma"
#define LUCE_BYTES 32
#define LUCE_FMA 1
#define LUCE_FMA_INTRINSIC(x86, arm) _mm256_fmadd_##x86
#define LUCE_MAX_INTRINSIC(x86, arm) _mm256_max_##x86

namespace luce::avx2 {
inline constexpr int kColumnClasses = 32;
static bool supported() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
}  // namespace luce::avx2

#include "level.inl"
#endif
