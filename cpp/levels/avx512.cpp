// x86-64 with AVX-512 F, BW, DQ and VL (servers from 2017, Zen 4 and later).
#include "common.hpp"

#if defined(__x86_64__)
#define LUCE_LEVEL avx512
#define LUCE_INSTRUCTIONS "avx512f,avx512bw,avx512dq,avx512vl,fma"
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

#include "level.inl"
#endif
