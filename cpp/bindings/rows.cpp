// Rows of logits for Python: losses and derivatives, probabilities, the sigmoid's.
#include <cmath>
#include <memory>

#include "form.hpp"

namespace luce {
namespace {

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

// The mean of losses, which are divided first where their sum leaves the type, as the mean need not.
double mean_of(double* losses, std::int64_t rows) {
    const double mean = total(losses, rows) / double(rows);
    if (!std::isinf(mean)) return mean;
    for (std::int64_t i = 0; i < rows; ++i) losses[i] /= double(rows);
    return total(losses, rows);
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
        job.n_listed = 1;
        job.indices = static_cast<const std::int64_t*>(y.data());
        if (job.rows == 0 || job.classes == 0 || !aligned<T>(z) || !aligned<std::int64_t>(y)) return;
        if (check_index(job.indices, job.rows, job.classes, false, 0).bad >= 0) return;
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
        result = nb::float_(mean_of(job.loss, job.rows));
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

void sigmoid_cross_entropy(nb::handle logits, nb::handle target, nb::handle positive, nb::handle weight,
                           double given_share, double smoothing, double factor, nb::handle block_loss, nb::handle loss,
                           nb::handle grad, nb::handle n_threads) {
    Array a = nb::cast<Array>(logits, false);
    auto start = [&]<class T>(SigmoidJob<T> job) {
        if (!aligned<T>(a)) throw std::invalid_argument("luce._core: logits are not aligned");
        job.size = std::int64_t(a.size());
        job.logits = static_cast<const T*>(a.data());
        job.target = in<T>(target, job.size, "target");
        job.positive = in<T>(positive, job.size, "positive");
        job.weight = in<double>(weight, job.size, "weight");
        job.given_share = given_share;
        job.smoothing = smoothing;
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

}  // namespace

void add_rows(nb::module_& m) {
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
          nb::arg("positive").none(), nb::arg("weight").none(), nb::arg("given_share"), nb::arg("smoothing"),
          nb::arg("factor"), nb::arg("block_loss").none(), nb::arg("loss").none(), nb::arg("grad").none(),
          nb::arg("n_threads").none());
    m.attr("SIGMOID_BLOCK") = SigmoidJob<float>::kBlock;
}

}  // namespace luce
