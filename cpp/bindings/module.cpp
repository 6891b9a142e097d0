// All of Python in the core: arrays in, arrays written, nothing returned but counts. Arguments are checked in Python
// (luce/contract/); what is checked here only keeps a mistake there from reading or writing out of bounds.
#include <nanobind/stl/vector.h>

#include "arguments.hpp"

namespace luce {
namespace {

// Which level runs and how many threads.
void add_machine(nb::module_& m) {
    m.def("isa", [] { return std::string(active_level().name); });
    m.def("isa_levels", &available_levels);
    m.def("vendor", &vendor);
    m.def("force_isa", &force_level, nb::arg("name"));
    m.def("isa_calls", [] {
        nb::dict calls;
        const auto names = available_levels();
        const auto counts = level_calls();
        for (std::size_t i = 0; i < names.size(); ++i) calls[names[i].c_str()] = counts[i];
        return calls;
    });
    m.def("num_threads", &num_threads);
    m.def("set_num_threads", &set_num_threads, nb::arg("n"));
    m.def("compiler", [] {
#if defined(__clang__)
        return std::string("Clang " __clang_version__);
#else
        return std::string("GCC " __VERSION__);
#endif
    });
}

}  // namespace
}  // namespace luce

NB_MODULE(_core, m) {
    m.doc() = "The compiled kernels; use the functions of luce instead, which check their arguments.";
    luce::active_level();  // a wrong LUCE_ISA or LUCE_NUM_THREADS stops the import
    luce::num_threads();

    luce::add_rows(m);
    luce::add_matrices(m);
    luce::add_sets(m);
    luce::add_targets(m);
    luce::add_machine(m);
}
