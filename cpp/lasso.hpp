// Coordinate descent on a quadratic with absolute values: the inner problem of proximal Newton.
#pragma once
#include <cstdint>

namespace luce {

// Lower ½ (x − x0)ᵀ H (x − x0) + gᵀ (x − x0) + Σ l |x| over x (n), beginning at the x given, H (n, n) symmetric. Stops
// when no coordinate of a whole sweep changes its own slope by more than `tol`, or after `most` sweeps; returns the
// sweeps.
std::int64_t lasso_descent(const double* hessian, const double* gradient, const double* lasso, const double* x0,
                           double* x, std::int64_t n, double tol, std::int64_t most);

}  // namespace luce
