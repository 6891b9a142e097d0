// What is asked of whole arrays before and after rows are computed: whether targets are valid, and the sum of losses.
#include <algorithm>

#include "arguments.hpp"

namespace luce {

void add_targets(nb::module_& m) {
    m.def(
        "check_index",
        [](nb::handle index, std::int64_t classes, nb::handle ignored) {
            Array a = nb::cast<Array>(index, false);
            if (a.dtype() != nb::dtype<std::int64_t>()) throw std::invalid_argument("luce._core: index must be int64");
            const bool has = !ignored.is_none();
            const IndexCheck r = check_index(static_cast<const std::int64_t*>(a.data()), std::int64_t(a.size()),
                                             classes, has, has ? nb::cast<std::int64_t>(ignored) : 0);
            return nb::make_tuple(r.bad, r.counted);
        },
        nb::arg("index"), nb::arg("classes"), nb::arg("ignored").none());
    m.def(
        "first_bad_mass",
        [](nb::handle x, nb::handle row_scale) {
            Array a = nb::cast<Array>(x, false);
            const auto size = std::int64_t(a.size());
            const auto rows = row_scale.is_none() ? 1 : std::int64_t(nb::cast<Array>(row_scale, false).size());
            const std::int64_t width = std::max<std::int64_t>(1, size / std::max<std::int64_t>(1, rows));
            const double* scale = in<double>(row_scale, size / width, "row_scale");
            if (a.dtype() == nb::dtype<float>())
                return first_bad_mass(static_cast<const float*>(a.data()), size, scale, width);
            if (a.dtype() == nb::dtype<double>())
                return first_bad_mass(static_cast<const double*>(a.data()), size, scale, width);
            throw std::invalid_argument("luce._core: x must be float32 or float64");
        },
        nb::arg("x"), nb::arg("row_scale").none() = nb::none());
    m.def(
        "total",
        [](nb::handle x) {
            Array a = nb::cast<Array>(x, false);
            if (a.dtype() != nb::dtype<double>()) throw std::invalid_argument("luce._core: x must be float64");
            return total(static_cast<const double*>(a.data()), std::int64_t(a.size()));
        },
        nb::arg("x"));
}

}  // namespace luce
