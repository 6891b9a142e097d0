// The kernels of one level, compiled with its instructions; the last thing that a level's file includes.
//
// A level defines before:
//   LUCE_LEVEL           its namespace, in which are `supported`, whether this machine runs it, and `kColumnClasses`,
//                        up to which number of classes rows are walked over in columns
//   LUCE_INSTRUCTIONS    what it needs beyond what every machine has, if anything, by the compiler's names
//   LUCE_BYTES           the width of its vector registers in bytes
//   LUCE_FMA             1 if it has fused multiply-add
//   LUCE_FMA_INTRINSIC(x86, arm), LUCE_MAX_INTRINSIC(x86, arm)    its instructions, by the suffix of the type

#define LUCE_TEXT_OF(...) #__VA_ARGS__
#define LUCE_TEXT(...) LUCE_TEXT_OF(__VA_ARGS__)
#define LUCE_PRAGMA(...) _Pragma(LUCE_TEXT_OF(__VA_ARGS__))

#if defined(LUCE_INSTRUCTIONS) && defined(__clang__)
LUCE_PRAGMA(clang attribute push(__attribute__((target(LUCE_INSTRUCTIONS))), apply_to = function))
#elif defined(LUCE_INSTRUCTIONS)
#pragma GCC push_options
LUCE_PRAGMA(GCC target(LUCE_INSTRUCTIONS))
#endif

#include "../few_classes.inl"
#include "../rows/operations.inl"
#include "../rows/sigmoid.inl"
#include "../rows/total.inl"
#include "../sixteen_bits.inl"
#include "../sparse.inl"

#if defined(LUCE_INSTRUCTIONS) && defined(__clang__)
#pragma clang attribute pop
#elif defined(LUCE_INSTRUCTIONS)
#pragma GCC pop_options
#endif

namespace luce::LUCE_LEVEL {
template <class T>
constexpr Kernels<T> kernels() {
    return {run<Operation::cross_entropy, T>, run<Operation::hessian, T>,    run<Operation::softmax, T>,
            run<Operation::log_softmax, T>,   run<Operation::statistics, T>, run_sigmoid<T>};
}

extern const Level level;
constinit const Level level{LUCE_TEXT(LUCE_LEVEL),
                            supported,
                            kernels<float>(),
                            kernels<double>(),
                            total,
                            sparse_table(),
                            narrow_kernels<float>(),
                            narrow_kernels<double>(),
                            half_kernels<BFloat16>(),
                            half_kernels<Float16>(),
                            kColumnClasses};
}  // namespace luce::LUCE_LEVEL
