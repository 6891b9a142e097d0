// Rows whose α + 2ζ·lse is beyond what a coefficient of the type can hold, because of a large z_loss or of logits
// near the end of the range. Their entries, A·p - t and what the Hessian adds, are computed one after another, with
// factors that are a fraction and a power of two: what is in range comes out, also as a tiny share of what is not.
#pragma once

#include "block.inl"

namespace luce::LUCE_LEVEL {

// max u, where a double is too small for it
template <class T>
Scaled farthest(const Job<T>& job, double z_max) {
    const Scaled u = job.softcap != 0 ? Scaled(job.softcap) * Scaled(std::tanh(z_max / job.softcap)) : Scaled(z_max);
    return u / Scaled(job.temperature);
}

// The factors of distant rows. Beside so large an α + 2ζ·lse the two forms of a maximum's entry are the same.
template <class T, bool Columns, Mode mode>
void Block<T, Columns, mode>::weigh_distant() {
    double far[W], mass_of[W], inverse[W], r[W], is_own[W];
    wide_store(far, lse), wide_store(mass_of, alpha), wide_store(inverse, inverse_sum), wide_store(r, row_scale);
    wide_store(is_own, own);
    const Scaled temperature(job.temperature * lift(job)), factor = Scaled(job.factor) / temperature;
    Distant<T>& d = buffer.distant;
    for (int l = 0; l < rows; ++l) {
        if (!d.row[l]) continue;
        const Scaled reach = std::abs(far[l]) < d.kFar ? Scaled(far[l]) : farthest(job, z_max[l]);
        const Scaled terms = (Scaled(job.z_loss, 1) * reach + mass_of[l]) * Scaled(inverse[l]);
        d.target[l] = Scaled(r[l]) * factor;
        d.coefficient[l] = terms * d.target[l], d.curvature[l] = d.coefficient[l] / temperature;
        d.along[l] = Scaled(job.z_loss, 1) * Scaled(inverse[l]) * d.target[l] / temperature;
        is_own[l] = 0, factors.impossible[l] = T(inverse[l] - inverse[l]);
    }
    own = wide_load<T>(is_own);
}

// A vector's entries in distant rows, given its terms and x - <p, x>.
template <class T, bool Columns, Mode mode>
void Block<T, Columns, mode>::put_distant(const Tile<T>& t, std::int64_t j, int row_of, V e, V& g, V* h, V x) const {
    const Distant<T>& d = buffer.distant;
    const bool capped = kPair && transform.capped;
    for (int k = 0; k < W; ++k) {
        const int l = Columns ? k : row_of;
        if (!d.row[l] || std::signbit(e[k])) continue;  // an impossible class's is -0
        const double slope = capped ? double(t.slope[j + k]) : 1.0;
        const double share = kSpread ? d.target[l].times(t.target[j + k]) : 0.0;
        const auto in_u = [&](double times) { return d.coefficient[l].times(e[k] * times) - share * times; };
        g[k] = T(in_u(slope));
        if (!h) continue;
        double sum = d.curvature[l].times(double(e[k]) * x[k] * slope) + d.along[l].times(e[k] * slope);
        if (capped) sum += in_u(double(t.curve[j + k]) * bend[l] * t.vector[j + k]);
        (*h)[k] = T(sum);
    }
}

}  // namespace luce::LUCE_LEVEL
