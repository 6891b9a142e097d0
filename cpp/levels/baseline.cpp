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

namespace luce::baseline {
inline constexpr int kColumnClasses = 32;
static bool supported() { return true; }
}  // namespace luce::baseline

#include "level.inl"
