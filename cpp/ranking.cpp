// With S the sum of exp u over the items that are not yet placed, R that sum after the stage, T that of the d items
// that are tied in it, a stage adds to the loss
//     Breslow  d·log S - Σ u          Efron  Σ_r log(R + (1 - r/d)·T) - Σ u, r < d
//     exact    -log of the sum over all orders of the tied items, of the product of their shares.
// All sums are kept as logarithms, so that scores may lie as far apart as they like. The stage of one item is
// softplus(x) with x = log R - u, and its own entry of the gradient -σ(x): a certain ranking keeps its digits.
#include "ranking.hpp"

#include <cmath>
#include <limits>
#include <numeric>

namespace luce {
namespace {

constexpr double kNothing = -std::numeric_limits<double>::infinity();

// log(exp a + exp b)
double log_add(double a, double b) {
    if (a < b) std::swap(a, b);
    return b == kNothing ? a : a + std::log1p(std::exp(b - a));
}

class Ranking {
    std::vector<std::int64_t> order;          // places in the set, best first
    std::vector<double> behind;               // log of the sum from each on, in that order
    std::vector<double> share, chance, back;  // of exact ties: of an item, of a subset

  public:
    void run(const RankingJob& job, std::int64_t set) {
        const std::int64_t first = job.offsets[set], n = job.offsets[set + 1] - first;
        const double scale = job.scale ? job.scale[set] : 1.0;
        double* const grad = job.grad ? job.grad + first : nullptr;
        double loss = 0;
        if (scale == 0 || n == 0) {
            if (grad) std::fill_n(grad, n, 0.0);
        } else {
            loss = of_set(job, job.scores + first, job.rank + first, n, grad);
            for (std::int64_t i = 0; grad && i < n; ++i) grad[i] *= scale * job.factor;
        }
        job.loss[set] = loss == 0 ? 0.0 : loss * scale;
    }

  private:
    double of_set(const RankingJob& job, const double* u, const std::int64_t* rank, std::int64_t n, double* grad) {
        bool finite = false, broken = false;
        for (std::int64_t i = 0; i < n; ++i) {
            finite |= std::isfinite(u[i]);
            broken |= std::isnan(u[i]) || u[i] == -kNothing;
        }
        if (broken || !finite) {
            const double nan = std::numeric_limits<double>::quiet_NaN();
            if (grad) std::fill_n(grad, n, nan);
            return nan;
        }
        order.resize(std::size_t(n)), behind.resize(std::size_t(n + 1));
        std::iota(order.begin(), order.end(), 0);
        std::stable_sort(order.begin(), order.end(), [rank](auto a, auto b) { return rank[a] < rank[b]; });
        behind[std::size_t(n)] = kNothing;
        for (std::int64_t i = n; i-- > 0;)
            behind[std::size_t(i)] = log_add(u[order[std::size_t(i)]], behind[std::size_t(i + 1)]);

        double loss = 0, before = kNothing;  // log of the sum of 1/S over the stages so far
        for (std::int64_t i = 0, end; i < n; i = end) {
            end = i + 1;
            const std::int64_t place = rank[order[std::size_t(i)]];
            while (end < n && rank[order[std::size_t(end)]] == place) ++end;
            const bool chosen = place <= job.top;
            for (std::int64_t k = i; grad && k < end; ++k) {
                const std::int64_t item = order[std::size_t(k)];
                grad[item] = before == kNothing ? 0.0 : std::exp(u[item] + before);
            }
            if (!chosen) continue;
            const double after = end - i == 1              ? one(u, i, grad, loss)
                                 : job.ties == Ties::exact ? exact(u, i, end, grad, loss)
                                                           : shared(u, i, end, job.ties == Ties::efron, grad, loss);
            before = log_add(before, after);
        }
        for (std::int64_t k = 0; grad && k < n; ++k)
            if (u[k] == kNothing) grad[k] = 0;
        return loss;
    }

    // Each stage adds its loss and its own items' entries, and returns log of -∂loss/∂R, what it asks of later items.
    double one(const double* u, std::int64_t i, double* grad, double& loss) const {
        const std::int64_t item = order[std::size_t(i)];
        const double rest = behind[std::size_t(i + 1)];
        if (rest == kNothing) return kNothing;  // the last one left is certain
        const double x = rest - u[item], e = std::exp(-std::abs(x));
        loss += std::max(x, 0.0) + std::log1p(e);
        if (grad) grad[item] -= (x < 0 ? e : 1.0) / (1 + e);
        return -behind[std::size_t(i)];
    }

    double shared(const double* u, std::int64_t i, std::int64_t end, bool efron, double* grad, double& loss) const {
        const double d = double(end - i), all = behind[std::size_t(i)], rest = behind[std::size_t(end)];
        double tied = kNothing, own = kNothing, after = kNothing;
        for (std::int64_t k = i; k < end; ++k) tied = log_add(tied, u[order[std::size_t(k)]]);
        for (std::int64_t k = i; k < end; ++k) {
            const double part = efron ? std::log1p(-double(k - i) / d) : 0.0;
            const double sum = efron ? log_add(rest, tied + part) : all;
            loss += sum - u[order[std::size_t(k)]];
            own = log_add(own, part - sum), after = log_add(after, -sum);
        }
        for (std::int64_t k = i; grad && k < end; ++k) {
            const std::int64_t item = order[std::size_t(k)];
            grad[item] += std::exp(u[item] + own) - 1;
        }
        return after;
    }

    // f(A), the chance that the tied items A are the next in some order, from those of A without one: all in shares of
    // what the stage begins with; and backwards, its derivatives.
    double exact(const double* u, std::int64_t i, std::int64_t end, double* grad, double& loss) {
        const int d = int(end - i);
        const std::size_t subsets = std::size_t(1) << d;
        const double all = behind[std::size_t(i)];
        const double rest = behind[std::size_t(end)] == kNothing ? 0.0 : std::exp(behind[std::size_t(end)] - all);
        share.resize(std::size_t(d)), chance.assign(subsets, 0.0), back.assign(subsets, 0.0);
        for (int k = 0; k < d; ++k) share[std::size_t(k)] = std::exp(u[order[std::size_t(i + k)]] - all);
        const auto sum_of = [&](std::size_t subset) {
            double sum = rest;
            for (int k = 0; k < d; ++k)
                if (subset >> k & 1) sum += share[std::size_t(k)];
            return sum;
        };
        chance[0] = 1;
        for (std::size_t a = 1; a < subsets; ++a) {
            double sum = 0;
            for (int k = 0; k < d; ++k)
                if (a >> k & 1) sum += share[std::size_t(k)] * chance[a ^ std::size_t(1) << k];
            chance[a] = sum / sum_of(a);
        }
        const double p = chance[subsets - 1];
        loss -= std::log(p);
        std::vector<double> slope(std::size_t(d), 0.0);  // ∂f/∂share of the numerators; then less that of the sums
        double of_rest = 0;
        back[subsets - 1] = 1;
        for (std::size_t a = subsets - 1; a > 0; --a) {
            const double weight = back[a] / sum_of(a), drop = weight * chance[a];
            of_rest += drop;
            for (int k = 0; k < d; ++k) {
                if (!(a >> k & 1)) continue;
                const std::size_t without = a ^ std::size_t(1) << k;
                back[without] += weight * share[std::size_t(k)];
                slope[std::size_t(k)] += weight * chance[without] - drop;
            }
        }
        for (int k = 0; grad && k < d; ++k)
            grad[order[std::size_t(i + k)]] -= slope[std::size_t(k)] * share[std::size_t(k)] / p;
        return of_rest > 0 ? std::log(of_rest / p) - all : kNothing;
    }
};

}  // namespace

void run(const RankingJob& job, Threads threads) {
    const std::int64_t items = job.offsets[job.sets];
    const double cost = double(items) * 60;
    const std::int64_t chunk = std::max<std::int64_t>(1, job.sets * 4096 / std::max<std::int64_t>(items, 4096));
    parallel_for(job.sets, chunk, threads, cost,
                 [&, ranking = Ranking()](std::int64_t begin, std::int64_t end) mutable {
                     for (std::int64_t set = begin; set < end; ++set) ranking.run(job, set);
                 });
}

}  // namespace luce
