// The job of a batch of rows from what Python gives: the Form of luce/contract/form.py, read by the names of its
// fields, and logits of any of the types.
#pragma once

#include <nanobind/stl/vector.h>

#include <algorithm>
#include <type_traits>
#include <vector>

#include "arguments.hpp"

namespace luce {

// Where Form, a tuple with names, has the fields that kernels read: each found by its name, and no other there, so that
// none is taken for another and none goes unread.
struct Fields {
    std::size_t n_listed, indices, value, dense, weight, tail, row_scale, given_share, background, ignored, z_loss;
    std::size_t softcap, temperature;

    explicit Fields(nb::handle form_type) {
        if (!nb::hasattr(form_type, "_fields")) throw nb::type_error("luce._core: the form must be a named tuple");
        auto names = nb::cast<std::vector<std::string>>(form_type.attr("_fields"));
        const auto at = [&](const char* name) {
            const auto found = std::find(names.begin(), names.end(), name);
            if (found == names.end())
                throw std::invalid_argument(std::string("luce._core: the form has no field ") + name);
            found->clear();  // read
            return std::size_t(found - names.begin());
        };
        n_listed = at("n_listed"), indices = at("indices"), value = at("value"), dense = at("dense");
        weight = at("weight"), tail = at("tail"), row_scale = at("row_scale");
        given_share = at("given_share"), background = at("background"), ignored = at("ignored");
        z_loss = at("z_loss"), softcap = at("softcap"), temperature = at("temperature");
        for (const auto& name : names)
            if (!name.empty())
                throw std::invalid_argument("luce._core: the form has a field that no kernel reads: " + name);
    }

    // Those of a form's type, which are looked up when it first comes: names at every call would cost as much as a row.
    static const Fields& of(nb::handle form) {
        static PyTypeObject* type = nullptr;  // held for ever, so that no other takes its address
        static std::optional<Fields> fields;
        if (Py_TYPE(form.ptr()) != type) {
            fields = Fields(form.type());
            type = reinterpret_cast<PyTypeObject*>(form.type().inc_ref().ptr());
        }
        return *fields;
    }
};

// `entries` are those of the logits.
template <class T>
void read_form(const nb::tuple& form, Form<T>& job, std::int64_t entries) {
    const Fields& at = Fields::of(form);
    job.n_listed = nb::cast<std::int64_t>(form[at.n_listed]);
    job.indices = in<std::int64_t>(form[at.indices], job.rows * job.n_listed, "indices");
    job.value = in<T>(form[at.value], job.rows * job.n_listed, "value");
    job.dense = in<T>(form[at.dense], entries, "dense");
    job.weight = in<T>(form[at.weight], job.classes, "weight");
    job.tail = in<double>(form[at.tail], job.rows, "tail");
    job.row_scale = in<double>(form[at.row_scale], job.rows, "row_scale");
    job.given_share = nb::cast<double>(form[at.given_share]);
    job.background = nb::cast<double>(form[at.background]);
    job.has_ignored = !form[at.ignored].is_none();
    if (job.has_ignored) job.ignored = nb::cast<std::int64_t>(form[at.ignored]);
    job.z_loss = nb::cast<double>(form[at.z_loss]);
    job.softcap = nb::cast<double>(form[at.softcap]);
    job.temperature = nb::cast<double>(form[at.temperature]);
}
template <class T>
void read_form(const nb::tuple& form, Form<T>& job) {
    read_form(form, job, job.rows * job.classes);
}

// stats: (lse, entropy, largest), or None
template <class T>
void read_statistics(nb::handle stats, Form<T>& job) {
    if (stats.is_none()) return;
    const auto parts = nb::cast<nb::tuple>(stats);
    job.lse = out<double>(parts[0], job.rows, "lse");
    job.entropy = out<double>(parts[1], job.rows, "entropy");
    job.largest = out<std::int64_t>(parts[2], job.rows, "largest");
}

// f(job) with the job of the logits' type; `half` is the name of what bit patterns of 16 bits stand for
template <class F>
void with_logits(nb::handle logits, const F& f, nb::handle half = nb::none()) {
    Array a = nb::cast<Array>(logits, false);
    if (a.ndim() != 2) throw std::invalid_argument("luce._core: logits must be (rows, classes)");
    auto start = [&](auto job) {
        job.rows = std::int64_t(a.shape(0));
        job.classes = std::int64_t(a.shape(1));
        if (!aligned<std::remove_cvref_t<decltype(*job.logits)>>(a))
            throw std::invalid_argument("luce._core: logits are not aligned");
        job.logits = static_cast<decltype(job.logits)>(a.data());
        f(job);
    };
    const auto name = half.is_none() ? std::string("float16") : nb::cast<std::string>(half);
    if (a.dtype() == nb::dtype<float>())
        start(Job<float>{});
    else if (a.dtype() == nb::dtype<double>())
        start(Job<double>{});
    else if (name == "float16" &&
             (a.dtype() == kFloat16 || (a.dtype() == nb::dtype<std::uint16_t>() && !half.is_none())))
        start(HalfJob{{}, Half::float16});
    else if (name == "bfloat16" && a.dtype() == nb::dtype<std::uint16_t>())
        start(HalfJob{{}, Half::bfloat16});
    else
        throw std::invalid_argument("luce._core: logits must be float32, float64, or of 16 bits whose type is named");
}

// the type of a job's rows in memory
template <class T, class Stored>
Stored type_of(const Job<T, Stored>&);

}  // namespace luce
