// The level that every machine of the architecture has: SSE2 on x86-64, NEON on Arm, plain vectors elsewhere.
#include "common.hpp"

#define LUCE_LEVEL baseline
#define LUCE_BYTES 16
#if defined(__aarch64__)
#define LUCE_FMA 1
#define LUCE_FMA_INTRINSIC(x86, arm) [](auto a, auto b, auto c) { return vfmaq_##arm(c, a, b); }
#define LUCE_MAX_INTRINSIC(x86, arm) [](auto a, auto b) { return a > b ? a : b; }
#elif defined(__x86_64__)
#define LUCE_FMA 0
#define LUCE_MAX_INTRINSIC(x86, arm) _mm_max_##x86
#else
#define LUCE_FMA 0
#define LUCE_MAX_INTRINSIC(x86, arm) [](auto a, auto b) { return a > b ? a : b; }
#endif

namespace luce::LUCE_LEVEL {
inline constexpr int kColumnClasses = 32;
}

#include "../lanes.inl"
#include "../narrow.inl"
#include "../rows.inl"
#include "../sixteen.inl"
#include "../sparse.inl"

namespace luce::LUCE_LEVEL {
extern const Level level;
constinit const Level level{"baseline",
                            [] { return true; },
                            kernels<float>(),
                            kernels<double>(),
                            total,
                            sparse_table(),
                            narrow_kernels<float>(),
                            narrow_kernels<double>(),
                            half_kernels<BFloat16>(),
                            half_kernels<Float16>()};
}  // namespace luce::LUCE_LEVEL
