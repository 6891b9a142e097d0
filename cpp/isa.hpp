// The instruction-set levels: the same rows, compiled once per level; one of them is chosen when the library is loaded.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels.hpp"

namespace luce {

struct Level {
    const char* name;
    bool (*supported)();
    Kernels<float> f32;
    Kernels<double> f64;
    double (*total)(const double*, std::int64_t);  // sum in an order that follows from the size alone
    SparseTable sparse;
    NarrowKernels<float> narrow32;
    NarrowKernels<double> narrow64;
    HalfKernels bfloat16, float16;
    int column_classes;  // up to which number of classes rows are walked over in columns
    template <class T>
    const NarrowKernels<T>& narrow() const {
        if constexpr (sizeof(T) == 4)
            return narrow32;
        else
            return narrow64;
    }
    template <class T>
    const Kernels<T>& kernels() const {
        if constexpr (sizeof(T) == 4)
            return f32;
        else
            return f64;
    }
};

// every level that this build holds and this machine can run, best last
std::vector<std::string> available_levels();

// who made the processor, as far as somebody asks: "AMD" or ""
std::string vendor();
// the one in use; the first call reads LUCE_ISA, and throws std::invalid_argument for a name that is not available
const Level& active_level();
void force_level(const std::string& name);
// how often each available level has run a batch, in the order of available_levels()
std::vector<std::int64_t> level_calls();
void count_call(const Level& level);

}  // namespace luce
