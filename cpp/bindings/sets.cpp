// Sets of logits for Python: what there is for rows, for rows of their own lengths.
#include "../ranking.hpp"
#include "form.hpp"

namespace luce {
namespace {

// f(job) with the sets of the logits' type; offsets begin with 0, never fall and end with the number of logits
template <class F>
void with_sets(nb::handle logits, nb::handle offsets, const F& f) {
    Array z = nb::cast<Array>(logits, false), o = nb::cast<Array>(offsets, false);
    const auto start = [&]<class T>(SetsJob<T> job) {
        if (!aligned<T>(z)) throw std::invalid_argument("luce._core: logits are not aligned");
        job.rows = std::int64_t(o.size()) - 1;
        job.offsets = in<std::int64_t>(offsets, std::int64_t(o.size()), "offsets");
        bool ordered = job.rows >= 0 && job.offsets[0] == 0 && job.offsets[job.rows] == std::int64_t(z.size());
        for (std::int64_t set = 0; ordered && set < job.rows; ++set) ordered = job.offsets[set] <= job.offsets[set + 1];
        if (!ordered) throw std::invalid_argument("luce._core: the offsets do not divide the logits");
        job.logits = static_cast<const T*>(z.data());
        f(job);
    };
    if (z.dtype() == nb::dtype<float>())
        start(SetsJob<float>{});
    else if (z.dtype() == nb::dtype<double>())
        start(SetsJob<double>{});
    else
        throw std::invalid_argument("luce._core: logits must be float32 or float64");
}

template <class T>
void run_released(Operation operation, const SetsJob<T>& job, nb::handle n_threads) {
    const Threads threads = threads_or_default(n_threads);
    Release release(double(job.offsets[job.rows]));
    run(operation, job, threads);
}

void cross_entropy(nb::handle logits, nb::handle offsets, nb::tuple form, double factor, nb::handle loss,
                   nb::handle grad, nb::handle n_threads) {
    with_sets(logits, offsets, [&]<class T>(SetsJob<T> job) {
        const std::int64_t entries = job.offsets[job.rows];
        read_form(form, job, entries);
        job.factor = factor;
        job.loss = out<double>(loss, job.rows, "loss");
        job.grad = out<T>(grad, entries, "grad");
        run_released(Operation::cross_entropy, job, n_threads);
    });
}

void cross_entropy_hvp(nb::handle logits, nb::handle offsets, nb::tuple form, double factor, nb::handle vector,
                       nb::handle product, nb::handle grad, nb::handle n_threads) {
    with_sets(logits, offsets, [&]<class T>(SetsJob<T> job) {
        const std::int64_t entries = job.offsets[job.rows];
        read_form(form, job, entries);
        job.factor = factor;
        job.vector = in<T>(vector, entries, "vector");
        job.product = out<T>(product, entries, "product");
        job.grad = out<T>(grad, entries, "grad");
        run_released(Operation::hessian, job, n_threads);
    });
}

void softmax(nb::handle logits, nb::handle offsets, nb::handle result, nb::handle lse, bool logarithm,
             nb::handle n_threads) {
    with_sets(logits, offsets, [&]<class T>(SetsJob<T> job) {
        job.grad = out<T>(result, job.offsets[job.rows], "result");
        job.lse = out<double>(lse, job.rows, "lse");
        const bool one = !job.grad != !job.lse;
        if (!one) throw std::invalid_argument("luce._core: one of result and lse is asked for");
        run_released(!job.grad   ? Operation::statistics
                     : logarithm ? Operation::log_softmax
                                 : Operation::softmax,
                     job, n_threads);
    });
}

void softmax_product(nb::handle logits, nb::handle offsets, nb::handle vector, nb::handle product,
                     nb::handle n_threads) {
    with_sets(logits, offsets, [&]<class T>(SetsJob<T> job) {
        job.mass = 1;
        job.vector = in<T>(vector, job.offsets[job.rows], "vector");
        job.product = out<T>(product, job.offsets[job.rows], "product");
        run_released(Operation::hessian, job, n_threads);
    });
}

// ranks within [1, top] are chosen; no more than MOST_TIED of them alike where ties are exact
void plackett_luce(nb::handle scores, nb::handle offsets, nb::handle rank, std::int64_t top, const std::string& ties,
                   nb::handle scale, double factor, nb::handle loss, nb::handle grad, nb::handle n_threads) {
    with_sets(scores, offsets, [&]<class T>(SetsJob<T> sets) {
        if constexpr (sizeof(T) == 4) {
            throw std::invalid_argument("luce._core: scores must be float64");
        } else {
            const std::int64_t items = sets.offsets[sets.rows];
            RankingJob job;
            job.sets = sets.rows, job.offsets = sets.offsets, job.scores = sets.logits, job.top = top;
            job.rank = in<std::int64_t>(rank, items, "rank");
            job.ties = ties == "breslow" ? Ties::breslow : ties == "exact" ? Ties::exact : Ties::efron;
            job.scale = in<double>(scale, job.sets, "scale");
            job.factor = factor;
            job.loss = out<double>(loss, job.sets, "loss");
            job.grad = out<double>(grad, items, "grad");
            const Threads threads = threads_or_default(n_threads);
            Release release(double(items) * 60);
            run(job, threads);
        }
    });
}

}  // namespace

void add_sets(nb::module_& m) {
    m.def("sets_cross_entropy", &cross_entropy, nb::arg("logits"), nb::arg("offsets"), nb::arg("form"),
          nb::arg("factor"), nb::arg("loss").none(), nb::arg("grad").none(), nb::arg("n_threads").none());
    m.def("sets_cross_entropy_hvp", &cross_entropy_hvp, nb::arg("logits"), nb::arg("offsets"), nb::arg("form"),
          nb::arg("factor"), nb::arg("vector"), nb::arg("product"), nb::arg("grad").none(),
          nb::arg("n_threads").none());
    m.def("sets_softmax", &softmax, nb::arg("logits"), nb::arg("offsets"), nb::arg("result").none(),
          nb::arg("lse").none(), nb::arg("logarithm"), nb::arg("n_threads").none());
    m.def("sets_softmax_product", &softmax_product, nb::arg("logits"), nb::arg("offsets"), nb::arg("vector"),
          nb::arg("product"), nb::arg("n_threads").none());
    m.def("plackett_luce", &plackett_luce, nb::arg("scores"), nb::arg("offsets"), nb::arg("rank"), nb::arg("top"),
          nb::arg("ties"), nb::arg("scale").none(), nb::arg("factor"), nb::arg("loss"), nb::arg("grad").none(),
          nb::arg("n_threads").none());
    m.attr("MOST_TIED") = kMostTied;
}

}  // namespace luce
