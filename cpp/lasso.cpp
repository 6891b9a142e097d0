#include "lasso.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace luce {

std::int64_t lasso_descent(const double* hessian, const double* gradient, const double* lasso, const double* x0,
                           double* x, std::int64_t n, double tol, std::int64_t most) {
    std::vector<double> slope(gradient, gradient + n);  // of the smooth part at x
    const auto walk = [&](std::int64_t j, double by) {
        const double* row = hessian + j * n;
        for (std::int64_t k = 0; k < n; ++k) slope[k] += by * row[k];
    };
    for (std::int64_t j = 0; j < n; ++j)
        if (x[j] != x0[j]) walk(j, x[j] - x0[j]);
    bool whole = true;  // sweeps over all coordinates and, between them, over those that are not 0
    std::int64_t sweeps = 0;
    while (sweeps < most) {
        ++sweeps;
        double largest = 0;
        for (std::int64_t j = 0; j < n; ++j) {
            const double curvature = hessian[j * n + j];
            if (!(curvature > 0) || (!whole && x[j] == 0)) continue;
            const double aim = x[j] - slope[j] / curvature;
            const double to = std::copysign(std::max(std::abs(aim) - lasso[j] / curvature, 0.0), aim);
            const double by = to - x[j];
            if (by == 0) continue;
            walk(j, by);
            x[j] = to;
            largest = std::max(largest, curvature * std::abs(by));
        }
        if (largest <= tol) {
            if (whole) break;
            whole = true;
        } else {
            whole = false;
        }
    }
    return sweeps;
}

}  // namespace luce
