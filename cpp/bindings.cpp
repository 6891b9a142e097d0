// All of Python in the core: arrays in, arrays written, nothing returned but counts. Arguments are checked in Python
// (luce/contract.py); what is checked here only keeps a mistake there from reading or writing out of bounds.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <cmath>
#include <memory>
#include <optional>
#include <stdexcept>

#include "batch.hpp"
#include "lasso.hpp"

namespace nb = nanobind;
using namespace luce;

namespace {

using Array = nb::ndarray<nb::ro, nb::c_contig, nb::device::cpu>;

constexpr nb::dlpack::dtype kFloat16{std::uint8_t(nb::dlpack::dtype_code::Float), 16, 1};

// Whether an array holds T; numbers of 16 bits are bit patterns, or NumPy's own float16.
template <class T>
bool holds(const auto& array) {
    return array.dtype() == nb::dtype<T>() || (std::is_same_v<T, std::uint16_t> && array.dtype() == kFloat16);
}

// The pointer of an optional array, after its type and size have been checked.
template <class T>
const T* in(nb::handle object, std::int64_t size, const char* name) {
    if (object.is_none()) return nullptr;
    Array a = nb::cast<Array>(object, false);
    if (!holds<T>(a) || std::int64_t(a.size()) != size)
        throw std::invalid_argument(std::string("luce._core: ") + name + " has the wrong dtype or size");
    return static_cast<const T*>(a.data());
}
template <class T>
T* out(nb::handle object, std::int64_t size, const char* name) {
    if (object.is_none()) return nullptr;
    auto a = nb::cast<nb::ndarray<nb::c_contig, nb::device::cpu>>(object, false);
    if (!holds<T>(a) || std::int64_t(a.size()) != size)
        throw std::invalid_argument(std::string("luce._core: ") + name + " has the wrong dtype or size");
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
Threads threads_or_default(nb::handle n_threads) {
    if (n_threads.is_none()) return {num_threads()};
    if (!nb::isinstance<nb::tuple>(n_threads)) return {nb::cast<int>(n_threads)};
    const auto [count, address] = nb::cast<std::pair<int, std::uintptr_t>>(n_threads);
    return {count, reinterpret_cast<decltype(Threads::team)>(address)};
}

// form: (slots, index, value, dense, weight, tail, row_scale, keep, smooth, ignored, z_loss, softcap, temperature)
template <class T>
void read_form(nb::tuple form, Form<T>& job) {
    job.slots = nb::cast<std::int64_t>(form[0]);
    job.index = in<std::int64_t>(form[1], job.rows * job.slots, "index");
    job.value = in<T>(form[2], job.rows * job.slots, "value");
    job.dense = in<T>(form[3], job.rows * job.classes, "dense");
    job.weight = in<T>(form[4], job.classes, "weight");
    job.tail = in<double>(form[5], job.rows, "tail");
    job.row_scale = in<double>(form[6], job.rows, "row_scale");
    job.keep = nb::cast<double>(form[7]);
    job.smooth = nb::cast<double>(form[8]);
    job.has_ignored = !form[9].is_none();
    if (job.has_ignored) job.ignored = nb::cast<std::int64_t>(form[9]);
    job.z_loss = nb::cast<double>(form[10]);
    job.softcap = nb::cast<double>(form[11]);
    job.temperature = nb::cast<double>(form[12]);
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

void cross_entropy(nb::handle logits, nb::tuple form, double factor, nb::handle loss, nb::handle grad,
                   nb::handle n_threads, nb::handle stats, nb::handle half) {
    const auto call = [&](auto job) {
        using T = decltype(type_of(job));
        read_form(form, job);
        read_statistics(stats, job);
        job.factor = factor;
        job.loss = out<double>(loss, job.rows, "loss");
        job.grad = out<T>(grad, job.rows * job.classes, "grad");
        const Threads threads = threads_or_default(n_threads);
        Release release(cost(job));
        run(Operation::cross_entropy, job, threads);
    };
    with_logits(logits, call, half);
}

void cross_entropy_hvp(nb::handle logits, nb::tuple form, double factor, nb::handle vector, nb::handle product,
                       nb::handle grad, nb::handle n_threads, nb::handle half) {
    const auto call = [&](auto job) {
        using T = decltype(type_of(job));
        read_form(form, job);
        job.factor = factor;
        job.vector = in<T>(vector, job.rows * job.classes, "vector");
        job.product = out<T>(product, job.rows * job.classes, "product");
        job.grad = out<T>(grad, job.rows * job.classes, "grad");
        const Threads threads = threads_or_default(n_threads);
        Release release(2 * cost(job));
        run(Operation::hessian, job, threads);
    };
    with_logits(logits, call, half);
}

// The plain case in one step, for calls on a few rows, where checking in Python takes longer than the work: contiguous
// logits (N, V), class indices that are all in [0, V), no options. The mean loss; None for anything else, with nothing
// written.
nb::object plain_mean(nb::handle logits, nb::handle target, nb::handle grad, nb::handle n_threads) {
    Array z, y;
    nb::object result = nb::none();
    if (!nb::try_cast(logits, z, false) || !nb::try_cast(target, y, false)) return result;
    if (z.ndim() != 2 || y.ndim() != 1 || y.dtype() != nb::dtype<std::int64_t>() || y.shape(0) != z.shape(0))
        return result;
    auto start = [&]<class T>(Job<T> job) {
        job.rows = std::int64_t(z.shape(0));
        job.classes = std::int64_t(z.shape(1));
        job.logits = static_cast<const T*>(z.data());
        job.slots = 1;
        job.index = static_cast<const std::int64_t*>(y.data());
        if (job.rows == 0 || job.classes == 0) return;
        if (check_index(job.index, job.rows, job.classes, false, 0).bad >= 0) return;
        job.factor = 1.0 / double(job.rows);
        job.grad = out<T>(grad, job.rows * job.classes, "grad");
        double one = 0;
        std::unique_ptr<double[]> losses;
        if (job.rows > 1) losses = std::make_unique_for_overwrite<double[]>(std::size_t(job.rows));
        job.loss = losses ? losses.get() : &one;
        const Threads threads = threads_or_default(n_threads);
        {
            Release release(cost(job));
            run(Operation::cross_entropy, job, threads);
        }
        double mean = total(job.loss, job.rows) / double(job.rows);
        if (losses && std::isinf(mean)) {  // the sum left the type, the mean need not
            for (std::int64_t i = 0; i < job.rows; ++i) losses[std::size_t(i)] /= double(job.rows);
            mean = total(job.loss, job.rows);
        }
        result = nb::float_(mean);
    };
    if (z.dtype() == nb::dtype<float>())
        start(Job<float>{});
    else if (z.dtype() == nb::dtype<double>())
        start(Job<double>{});
    return result;
}

void softmax(nb::handle logits, nb::handle result, nb::handle lse, bool logarithm, double softcap, double temperature,
             nb::handle n_threads) {
    with_logits(logits, [&](auto job) {
        using T = decltype(type_of(job));
        job.softcap = softcap;
        job.temperature = temperature;
        job.grad = out<T>(result, job.rows * job.classes, "result");
        job.lse = out<double>(lse, job.rows, "lse");
        const Threads threads = threads_or_default(n_threads);
        Release release(cost(job));
        run(!job.grad ? Operation::statistics : logarithm ? Operation::log_softmax : Operation::softmax, job, threads);
    });
}

void softmax_product(nb::handle logits, nb::handle vector, nb::handle product, nb::handle n_threads) {
    with_logits(logits, [&](auto job) {
        using T = decltype(type_of(job));
        job.mass = 1;
        job.vector = in<T>(vector, job.rows * job.classes, "vector");
        job.product = out<T>(product, job.rows * job.classes, "product");
        const Threads threads = threads_or_default(n_threads);
        Release release(2 * cost(job));
        run(Operation::hessian, job, threads);
    });
}

void sigmoid_cross_entropy(nb::handle logits, nb::handle target, nb::handle positive, nb::handle weight, double keep,
                           double smooth, double factor, nb::handle block_loss, nb::handle loss, nb::handle grad,
                           nb::handle n_threads) {
    Array a = nb::cast<Array>(logits, false);
    auto start = [&]<class T>(SigmoidJob<T> job) {
        job.size = std::int64_t(a.size());
        job.logits = static_cast<const T*>(a.data());
        job.target = in<T>(target, job.size, "target");
        job.positive = in<T>(positive, job.size, "positive");
        job.weight = in<double>(weight, job.size, "weight");
        job.keep = keep;
        job.smooth = smooth;
        job.factor = factor;
        job.block_loss = out<double>(block_loss, (job.size + job.kBlock - 1) / job.kBlock, "block_loss");
        job.loss = out<T>(loss, job.size, "loss");
        job.grad = out<T>(grad, job.size, "grad");
        const Threads threads = threads_or_default(n_threads);
        Release release(double(job.size) * 4);
        run(job, threads);
    };
    if (a.dtype() == nb::dtype<float>())
        start(SigmoidJob<float>{});
    else if (a.dtype() == nb::dtype<double>())
        start(SigmoidJob<double>{});
    else
        throw std::invalid_argument("luce._core: logits must be float32 or float64");
}

// The job of a dense X (N, D) and scores or pieces (N, K); both must fit.
template <class T>
NarrowJob<T> narrow_job(const Array& X, std::int64_t classes, const T* rows_of) {
    NarrowJob<T> job;
    job.rows = std::int64_t(X.shape(0));
    job.features = std::int64_t(X.shape(1));
    job.classes = classes;
    job.X = static_cast<const T*>(X.data());
    job.rows_of = const_cast<T*>(rows_of);
    return job;
}

template <class F>
void for_narrow(nb::handle X, const F& f) {
    const Array rows = nb::cast<Array>(X, false);
    if (rows.ndim() != 2) throw std::invalid_argument("luce._core: X must have two dimensions");
    if (rows.dtype() == nb::dtype<float>())
        f(rows, float{});
    else if (rows.dtype() == nb::dtype<double>())
        f(rows, double{});
    else
        throw std::invalid_argument("luce._core: X must be float32 or float64");
}

void narrow_scores(nb::handle X, nb::handle coef, nb::handle intercept, nb::handle scores, nb::handle n_threads) {
    for_narrow(X, [&]<class T>(const Array& rows, T) {
        const auto classes = std::int64_t(nb::cast<Array>(intercept, false).size());
        T* to = out<T>(scores, std::int64_t(rows.shape(0)) * classes, "scores");
        const NarrowJob<T> job = narrow_job<T>(rows, classes, to);
        const T* w = in<T>(coef, classes * job.features, "coef");
        const T* b = in<T>(intercept, classes, "intercept");
        const Threads threads = threads_or_default(n_threads);
        Release release(cost(job));
        run_scores(job, w, b, threads);
    });
}

void narrow_pull_back(nb::handle X, nb::handle pieces, nb::handle total, nb::handle n_threads) {
    for_narrow(X, [&]<class T>(const Array& rows, T) {
        const auto given = nb::cast<Array>(pieces, false);
        const auto classes = given.ndim() == 2 ? std::int64_t(given.shape(1)) : 0;
        const T* from = in<T>(pieces, std::int64_t(rows.shape(0)) * classes, "pieces");
        const NarrowJob<T> job = narrow_job<T>(rows, classes, from);
        double* to = out<double>(total, classes * job.features, "total");
        const Threads threads = threads_or_default(n_threads);
        Release release(cost(job));
        run_pull_back(job, to, threads);
    });
}

// out += A·dense for rows A of a sparse matrix, whose indices are not checked here.
void sparse_product(nb::handle start, nb::handle index, nb::handle value, nb::handle dense, nb::handle result,
                    nb::handle n_threads) {
    const auto array = [](nb::handle object) { return nb::cast<Array>(object, false); };
    const Array starts = array(start), indices = array(index), values = array(value), columns = array(dense);
    const auto sums = nb::cast<nb::ndarray<nb::c_contig, nb::device::cpu>>(result, false);
    const auto ran = [&]<class T, class I, class Out>(SparseJob<T, I, Out> job) {
        if (indices.dtype() != nb::dtype<I>() || values.dtype() != nb::dtype<T>() || sums.dtype() != nb::dtype<Out>())
            return false;
        job.rows = std::int64_t(starts.size()) - 1;
        job.start = in<std::int64_t>(start, job.rows + 1, "start");
        job.index = in<I>(index, std::int64_t(values.size()), "index");
        if (columns.ndim() != 2 || sums.ndim() != 2 || columns.shape(1) != sums.shape(1) || job.rows < 0 ||
            std::int64_t(sums.shape(0)) != job.rows || job.start[0] < 0 ||
            job.start[job.rows] > std::int64_t(values.size()))
            throw std::invalid_argument("luce._core: arrays of a sparse product do not fit together");
        job.columns = std::int64_t(columns.shape(0));
        job.classes = std::int64_t(columns.shape(1));
        job.value = static_cast<const T*>(values.data());
        job.dense = in<T>(dense, job.columns * job.classes, "dense");
        job.out = static_cast<Out*>(sums.data());
        const Threads threads = threads_or_default(n_threads);
        Release release(cost(job));
        run(job, threads);
        return true;
    };
    using i32 = std::int32_t;
    using i64 = std::int64_t;
    if (!(ran(SparseJob<float, i32, float>{}) || ran(SparseJob<float, i64, float>{}) ||
          ran(SparseJob<float, i32, double>{}) || ran(SparseJob<float, i64, double>{}) ||
          ran(SparseJob<double, i32, double>{}) || ran(SparseJob<double, i64, double>{})))
        throw std::invalid_argument("luce._core: a sparse product has no kernel for these dtypes");
}

}  // namespace

NB_MODULE(_core, m) {
    m.doc() = "The compiled kernels; use the functions of luce instead, which check their arguments.";
    active_level();  // a wrong LUCE_ISA or LUCE_NUM_THREADS stops the import
    num_threads();

    m.def("cross_entropy", &cross_entropy, nb::arg("logits"), nb::arg("form"), nb::arg("factor"),
          nb::arg("loss").none(), nb::arg("grad").none(), nb::arg("n_threads").none(),
          nb::arg("stats").none() = nb::none(), nb::arg("half").none() = nb::none());
    m.def("plain_mean", &plain_mean, nb::arg("logits"), nb::arg("target").none(), nb::arg("grad").none(),
          nb::arg("n_threads").none() = nb::none());
    m.def("cross_entropy_hvp", &cross_entropy_hvp, nb::arg("logits"), nb::arg("form"), nb::arg("factor"),
          nb::arg("vector"), nb::arg("product"), nb::arg("grad").none(), nb::arg("n_threads").none(),
          nb::arg("half").none() = nb::none());
    m.def("softmax", &softmax, nb::arg("logits"), nb::arg("result").none(), nb::arg("lse").none(), nb::arg("logarithm"),
          nb::arg("softcap"), nb::arg("temperature"), nb::arg("n_threads").none());
    m.def("softmax_product", &softmax_product, nb::arg("logits"), nb::arg("vector"), nb::arg("product"),
          nb::arg("n_threads").none());
    m.def("sigmoid_cross_entropy", &sigmoid_cross_entropy, nb::arg("logits"), nb::arg("target"),
          nb::arg("positive").none(), nb::arg("weight").none(), nb::arg("keep"), nb::arg("smooth"), nb::arg("factor"),
          nb::arg("block_loss").none(), nb::arg("loss").none(), nb::arg("grad").none(), nb::arg("n_threads").none());
    m.def("narrow_scores", &narrow_scores, nb::arg("X"), nb::arg("coef"), nb::arg("intercept"), nb::arg("scores"),
          nb::arg("n_threads").none());
    m.def("narrow_pull_back", &narrow_pull_back, nb::arg("X"), nb::arg("pieces"), nb::arg("total"),
          nb::arg("n_threads").none());
    m.def("sparse_product", &sparse_product, nb::arg("start"), nb::arg("index"), nb::arg("value"), nb::arg("dense"),
          nb::arg("result"), nb::arg("n_threads").none());
    m.attr("SIGMOID_BLOCK") = SigmoidJob<float>::kBlock;

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
        "lasso_descent",
        [](nb::handle hessian, nb::handle gradient, nb::handle lasso, nb::handle x0, nb::handle x, double tol,
           std::int64_t most) {
            const auto n = std::int64_t(nb::cast<Array>(gradient, false).size());
            const double* h = in<double>(hessian, n * n, "hessian");
            const double* g = in<double>(gradient, n, "gradient");
            const double* l = in<double>(lasso, n, "lasso");
            const double* from = in<double>(x0, n, "x0");
            double* to = out<double>(x, n, "x");
            Release release(double(n) * double(n));
            return lasso_descent(h, g, l, from, to, n, tol, most);
        },
        nb::arg("hessian"), nb::arg("gradient"), nb::arg("lasso"), nb::arg("x0"), nb::arg("x"), nb::arg("tol"),
        nb::arg("most"));
    m.def(
        "total",
        [](nb::handle x) {
            Array a = nb::cast<Array>(x, false);
            if (a.dtype() != nb::dtype<double>()) throw std::invalid_argument("luce._core: x must be float64");
            return total(static_cast<const double*>(a.data()), std::int64_t(a.size()));
        },
        nb::arg("x"));

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
