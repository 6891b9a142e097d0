// Elements of the sigmoid cross-entropy and its gradient; compiled once per level.
#pragma once

#include "../lanes/elementary.inl"
#include "../lanes/sums.inl"

namespace luce::LUCE_LEVEL {

// t·positive·softplus(-z) + (1-t)·softplus(z), softplus(±z) = max(±z, 0) + log1p(exp(-|z|)), all in double
struct SigmoidTerm {
    D loss, grad;
    LUCE_INLINE SigmoidTerm(D z, D t, D other, D positive) {
        const D zero{}, one = splat(1.0);
        auto negative = z < zero;
        D size = negative ? -z : z;
        D e = exp_minus(size);
        D l = log1p(e);
        D near = one / (one + e), far = e * near;  // σ(|z|), σ(-|z|)
        D up = (negative ? zero : size) + l, down = (negative ? size : zero) + l;
        t *= positive;
        loss = (t == zero ? zero : t * down) + (other == zero ? zero : other * up);
        grad = other * (negative ? far : near) - t * (negative ? near : far);
        const D bad = z != z ? z : zero;
        loss += bad;
        grad += bad;
    }
};

template <class T>
void run_sigmoid(const SigmoidJob<T>& job, std::int64_t begin, std::int64_t end) {
    constexpr int W = kLanes<T>;
    const Wide<T> one = wide_splat<T>(1), share = wide_splat<T>(job.given_share),
                  half = wide_splat<T>(job.smoothing / 2);
    for (std::int64_t block = begin; block < end; ++block) {
        const std::int64_t first = block * job.kBlock, last = std::min(first + job.kBlock, job.size);
        Sum<double> sum[Wide<T>::kParts];
        for (std::int64_t i = first; i < last; i += W) {
            const int n = int(std::min<std::int64_t>(W, last - i));
            auto lanes = [&](const auto* p, double filler) __attribute__((always_inline)) {
                if (!p) return wide_splat<T>(filler);
                double part[W];
                for (int l = 0; l < W; ++l) part[l] = l < n ? double(p[i + l]) : filler;
                return wide_load<T>(part);
            };
            const auto whole = [&](const T* p, double filler) __attribute__((always_inline)) {
                return p && n == W ? widen(load(p + i)) : lanes(p, filler);
            };
            const Wide<T> z = whole(job.logits, 0), t = whole(job.target, 0);
            const Wide<T> positive = whole(job.positive, 1), weight = lanes(job.weight, 1);
            const Wide<T> yes = t * share + half, no = (one - t) * share + half;
            Wide<T> loss, grad;
            for (int p = 0; p < Wide<T>::kParts; ++p) {
                const SigmoidTerm term(z.part[p], yes.part[p], no.part[p], positive.part[p]);
                const D zero{}, w = weight.part[p];  // what has weight 0 counts for nothing, NaN and infinity included
                loss.part[p] = w == zero ? zero : term.loss * w;
                grad.part[p] = w == zero ? zero : term.grad * (w * splat(job.factor));
            }
            T part[W];
            if (job.loss) {
                store(part, narrow(loss));
                std::copy_n(part, n, job.loss + i);
            }
            if (job.grad) {
                store(part, narrow(grad));
                std::copy_n(part, n, job.grad + i);
            }
            if (job.block_loss) {
                double l[W];
                wide_store(l, loss);
                for (int k = n; k < W; ++k) l[k] = 0;
                loss = wide_load<T>(l);
                for (int p = 0; p < Wide<T>::kParts; ++p) sum[p].add(loss.part[p]);
            }
        }
        if (job.block_loss) {
            double l[W];
            for (int p = 0; p < Wide<T>::kParts; ++p) store(l + p * kLanes<double>, sum[p].high + sum[p].low);
            job.block_loss[block] = pairwise<W>(l);
        }
    }
}

}  // namespace luce::LUCE_LEVEL
