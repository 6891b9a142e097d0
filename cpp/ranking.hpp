// Rankings of sets: the losses of Plackett and Luce, stage by stage from the first place to the last.
#pragma once

#include "parallel.hpp"

namespace luce {

enum class Ties { breslow, efron, exact };

constexpr int kMostTied = 12;  // of exact ties, whose cost doubles with each: 12 take some 50,000 steps

// Set s are the items [offsets[s], offsets[s + 1]). All is double: what there is to gain in float is not the
// arithmetic.
struct RankingJob {
    std::int64_t sets = 0;
    const std::int64_t* offsets = nullptr;
    const double* scores = nullptr;      // (items,)
    const std::int64_t* rank = nullptr;  // (items,), the first place is the least; equal ones are tied
    std::int64_t top = 0;                // items of a rank beyond it are never chosen
    Ties ties = Ties::efron;
    const double* scale = nullptr;  // (sets,) or null: 1; a set of 0 counts for nothing
    double factor = 1;              // of the gradient
    double* loss = nullptr;         // (sets,)
    double* grad = nullptr;         // (items,) or null
};

void run(const RankingJob& job, Threads threads);

}  // namespace luce
