// Batches: one job on all its rows, by the level in use, over threads.
#pragma once

#include "isa.hpp"
#include "kernels.hpp"
#include "parallel.hpp"

namespace luce {

template <class T>
void run(Operation operation, Job<T> job, Threads threads);
template <class T>
void run(Operation operation, const SetsJob<T>& job, Threads threads);
void run(Operation operation, HalfJob job, Threads threads);

template <class T>
void run(const SigmoidJob<T>& job, Threads threads);

template <class T, class I, class Out>
void run(const SparseJob<T, I, Out>& job, Threads threads);

// scores (rows, classes) = X coefᵀ + intercept
template <class T>
void run_scores(NarrowJob<T> job, const T* coef, const T* intercept, Threads threads);

// total (classes, features) = piecesᵀ X, in an order that follows from the shape alone
template <class T>
void run_pull_back(NarrowJob<T> job, double* total, Threads threads);

template <class T>
double cost(const NarrowJob<T>& job) {
    return double(job.rows) * double(job.features) * (1 + double(job.classes) * (sizeof(T) == 4 ? 0.02 : 0.04)) * 0.2;
}

// What a batch costs, in nanoseconds, roughly: decides on threads and on giving up Python's lock, never on results.
template <class T>
double cost(const Form<T>& job) {
    return double(job.rows) * double(job.classes) * (sizeof(T) == 4 ? 0.4 : 1.0) * (job.transformed() ? 6 : 1);
}

template <class T, class I, class Out>
double cost(const SparseJob<T, I, Out>& job) {
    return double(job.start[job.rows] - job.start[0]) * (1 + double(job.classes) * (sizeof(Out) == 4 ? 0.1 : 0.2));
}

// Targets before anything is computed or written.
struct IndexCheck {
    std::int64_t bad = -1;     // first entry outside [0, classes) that is not ignored
    std::int64_t counted = 0;  // entries that are not ignored
};
IndexCheck check_index(const std::int64_t* index, std::int64_t size, std::int64_t classes, bool has_ignored,
                       std::int64_t ignored);

// The first entry that is negative, infinite or NaN, in rows of `width` whose scale is not 0; -1 if there is none.
template <class T>
std::int64_t first_bad_mass(const T* x, std::int64_t size, const double* row_scale, std::int64_t width);

// Σ x, in an order that follows from the size alone.
double total(const double* x, std::int64_t size);

}  // namespace luce
