// What may be asked of rows: losses and gradients, products with the Hessian, probabilities, statistics; each a
// sequence of passes over a block, and all the blocks of a batch.
#pragma once

#include "block.inl"
#include "distant.inl"
#include "listed_target.inl"
#include "memory.inl"
#include "passes.inl"
#include "plain.inl"
#include "reduction.inl"
#include "spread_target.inl"
#include "sums.inl"

namespace luce::LUCE_LEVEL {

template <class T, bool Columns, Mode mode>
void Block<T, Columns, mode>::cross_entropy() {
    skip_dropped();
    if (!kSpread && job.statistics()) {
        if (job.grad)
            summarise<true, false, true>();
        else
            summarise<false, false, true>();
        write_statistics();
    } else if (job.grad && !kPair) {
        summarise<true, false>();
    } else {
        summarise<false, false>();
    }
    if constexpr (kSpread) find_lost_distances();
    weigh_target();
    if (job.loss) write(job.loss, row_scale * (job.z_loss == 0 ? loss : loss + wide_splat<T>(job.z_loss) * lse * lse));
    if (job.grad) {
        if (some_distant)
            sweep<Gradient<true>>();
        else
            sweep<Gradient<false>>();
        patch_listed();
        deliver(buffer.grad, job.grad);
        rescale(job.grad, after);
    }
}

template <class T, bool Columns, Mode mode>
void Block<T, Columns, mode>::hessian() {
    skip_dropped();
    summarise<false, true>();
    find_reference();
    sweep<Inner>();
    const Row mean = inner * inverse_sum;  // <p, x> - x_ref
    mean_offset = narrow(mean);
    widen_room();
    weigh_target();
    curvature = narrow(mass * curved_scale * inverse_sum);
    const Row whole_mean = mean + widen(reference);
    along = narrow(wide_splat<T>(2 * job.z_loss) * whole_mean * curved_scale * inverse_sum);
    if (some_distant) {
        double m[W];
        wide_store(m, whole_mean);
        for (int l = 0; l < rows; ++l)
            if (buffer.distant.row[l]) buffer.distant.along[l] = buffer.distant.along[l] * Scaled(m[l]);
    }
    if (some_distant)
        job.grad ? sweep<Product<true, true>>() : sweep<Product<false, true>>();
    else
        job.grad ? sweep<Product<true, false>>() : sweep<Product<false, false>>();
    if (job.grad) {
        patch_listed();
        deliver(buffer.grad, job.grad);
        rescale(job.grad, after);
    }
    deliver(buffer.product, job.product);
    rescale(job.product, after_product);
}

template <class T, bool Columns, Mode mode>
void Block<T, Columns, mode>::softmax() {
    summarise<!kPair, false>();
    factors.coefficient = narrow(inverse_sum);
    sweep<Probability>();
    deliver(buffer.grad, job.grad);
}

template <class T, bool Columns, Mode mode>
void Block<T, Columns, mode>::log_softmax() {
    summarise<false, false>();
    factors.coefficient = narrow(log_sum);
    sweep<LogProbability>();
    deliver(buffer.grad, job.grad);
}

template <class T, bool Columns, Mode mode>
void Block<T, Columns, mode>::statistics() {
    if (job.entropy || job.largest)
        summarise<false, false, true>();
    else
        summarise<false, false>();
    write_statistics();
}

template <class T, bool Columns, Mode mode>
void Block<T, Columns, mode>::write_statistics() {
    if (job.lse) write(job.lse, lse);
    if (job.entropy) write(job.entropy, log_sum + loss * inverse_sum);
    for (int l = 0; job.largest && l < rows; ++l)
        job.largest[row + l] = (~top_position[l] & std::numeric_limits<Index>::max()) / (Columns ? W : 1);
}

// x at the maximum, where that has half of the mass. Elsewhere it may count for little in <p, |x|>, to whose digits
// products are held, and a difference to it would cost them.
template <class T, bool Columns, Mode mode>
void Block<T, Columns, mode>::find_reference() {
    double share[W];
    wide_store(share, widen(exp.template term<false>(u_max, V{})) * inverse_sum);
    reference = splat(T(0));
    for (int l = 0; l < rows; ++l) {
        if (share[l] < 0.5) continue;
        const std::int64_t place = top_position[l];
        if constexpr (Columns)
            reference[l] = buffer.vector[place < 0 ? l : place];
        else
            reference[l] = job.vector[(row + l) * job.classes + (place < 0 ? 0 : place)];
    }
    if (kPair && transform.capped) {
        T z[W], unused[3][W], slope[W], slopes[W];
        for (int l = 0; l < (Columns ? 1 : rows); ++l) {
            store(z, Columns ? z_max : splat(z_max[l]));
            transform.rows(z, W, about[l], unused[0], unused[1], slope, unused[2]);
            slopes[l] = slope[0];
        }
        reference *= load(Columns ? slope : slopes);
    }
}

// ----------------------------------------------------------------------------------------------------- all the blocks

template <Operation operation, class B, class T>
void run_blocks(const Job<T>& job, std::int64_t begin, std::int64_t end) {
    const Transform<T> transform(job);
    const Scales<T> scales(job, begin, end);
    typename B::Scratch scratch(job);
    for (std::int64_t row = begin; row < end; row += B::rows_for(job.classes)) {
        B block(job, transform, scales, scratch, row, end);
        if constexpr (operation == Operation::cross_entropy) block.cross_entropy();
        if constexpr (operation == Operation::hessian) block.hessian();
        if constexpr (operation == Operation::softmax) block.softmax();
        if constexpr (operation == Operation::log_softmax) block.log_softmax();
        if constexpr (operation == Operation::statistics) block.statistics();
    }
}

template <Operation operation, bool Columns, class T>
void run_mode(const Job<T>& job, std::int64_t begin, std::int64_t end) {
    constexpr bool has_target = operation == Operation::cross_entropy || operation == Operation::hessian;
    if (job.transformed()) return run_blocks<operation, Block<T, Columns, Mode::transformed>>(job, begin, end);
    if constexpr (has_target)
        if (job.spread()) return run_blocks<operation, Block<T, Columns, Mode::spread>>(job, begin, end);
    run_blocks<operation, Block<T, Columns, Mode::listed>>(job, begin, end);
}

template <Operation operation, class T>
void run(const Job<T>& job, std::int64_t begin, std::int64_t end) {
    if (operation == Operation::cross_entropy && is_plain(job)) return run_plain(job, begin, end);
    if (job.classes <= kColumnClasses)
        run_mode<operation, true>(job, begin, end);
    else
        run_mode<operation, false>(job, begin, end);
}

}  // namespace luce::LUCE_LEVEL
