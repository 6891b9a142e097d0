// Products of matrices for Python, dense and narrow or sparse, and the descent on a small dense one.
#include "../lasso.hpp"
#include "arguments.hpp"

namespace luce {
namespace {

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

void add_matrices(nb::module_& m) {
    m.def("narrow_scores", &narrow_scores, nb::arg("X"), nb::arg("coef"), nb::arg("intercept"), nb::arg("scores"),
          nb::arg("n_threads").none());
    m.def("narrow_pull_back", &narrow_pull_back, nb::arg("X"), nb::arg("pieces"), nb::arg("total"),
          nb::arg("n_threads").none());
    m.def("sparse_product", &sparse_product, nb::arg("start"), nb::arg("index"), nb::arg("value"), nb::arg("dense"),
          nb::arg("result"), nb::arg("n_threads").none());
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
}

}  // namespace luce
