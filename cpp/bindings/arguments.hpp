// What functions of the core are given by Python: arrays, numbers of threads, and the lock that long work gives up.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>

#include "../batch.hpp"

namespace nb = nanobind;

namespace luce {

using Array = nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu>;

constexpr nb::dlpack::dtype kFloat16{std::uint8_t(nb::dlpack::dtype_code::Float), 16, 1};

// Whether an array holds T; numbers of 16 bits are bit patterns, or NumPy's own float16.
template <class T>
bool holds(const auto& array) {
    return array.dtype() == nb::dtype<T>() || (std::is_same_v<T, std::uint16_t> && array.dtype() == kFloat16);
}

// Whether every number of an array stands where its type may stand, which reading it as such takes for granted.
template <class T>
bool aligned(const auto& array) {
    return reinterpret_cast<std::uintptr_t>(array.data()) % alignof(T) == 0;
}

// The pointer of an optional array, after its type, size and alignment have been checked.
template <class T>
const T* in(nb::handle object, std::int64_t size, const char* name) {
    if (object.is_none()) return nullptr;
    Array a = nb::cast<Array>(object, false);
    if (!holds<T>(a) || !aligned<T>(a) || std::int64_t(a.size()) != size)
        throw std::invalid_argument(std::string("luce._core: ") + name + " has the wrong dtype, alignment or size");
    return static_cast<const T*>(a.data());
}
template <class T>
T* out(nb::handle object, std::int64_t size, const char* name) {
    if (object.is_none()) return nullptr;
    auto a = nb::cast<nb::ndarray<nb::c_contig, nb::device::cpu>>(object, false);
    if (!holds<T>(a) || !aligned<T>(a) || std::int64_t(a.size()) != size)
        throw std::invalid_argument(std::string("luce._core: ") + name + " has the wrong dtype, alignment or size");
    return static_cast<T*>(a.data());
}

// Below this the lock is kept: giving it up and taking it back costs as much as the work.
constexpr double kLockCost = 5000;

struct Release {
    std::optional<nb::gil_scoped_release> lock;
    explicit Release(double cost) {
        if (cost > kLockCost) lock.emplace();
    }
};

// A number of threads, or a number and the address of a team's GOMP_parallel.
inline Threads threads_or_default(nb::handle n_threads) {
    if (n_threads.is_none()) return {num_threads()};
    if (!nb::isinstance<nb::tuple>(n_threads)) return {nb::cast<int>(n_threads)};
    const auto [count, address] = nb::cast<std::pair<int, std::uintptr_t>>(n_threads);
    return {count, reinterpret_cast<decltype(Threads::team)>(address)};
}

// The functions of each file of this folder, added to the module.
void add_rows(nb::module_& m);
void add_matrices(nb::module_& m);
void add_sets(nb::module_& m);
void add_targets(nb::module_& m);

}  // namespace luce
