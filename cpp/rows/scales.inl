// What the derivatives of a batch are scaled by; for a row whose scale would leave the type, the same in numbers that
// fit and powers of two; and for rows far beyond it, in numbers of any size.
#pragma once

#include "transform.inl"

namespace luce::LUCE_LEVEL {

template <class T>
struct Scales {
    // what a coefficient may be multiplied by before it or an entry leaves the type
    static constexpr double kLeast = sizeof(T) == 4 ? 0x1p-60 : 0x1p-900, kMost = sizeof(T) == 4 ? 0x1p32 : 0x1p64;
    const Job<T>& job;
    double gradient, product;  // factor/temperature, factor/temperature²
    double bend;               // of a softcap's curve: 1/softcap
    bool usual;                // whether those of all rows fit

    Scales(const Job<T>& job_, std::int64_t begin, std::int64_t end) : job(job_) {
        gradient = job.factor / job.temperature;
        product = gradient / job.temperature;
        bend = job.softcap != 0 ? 1 / job.softcap : 0.0;
        bool fits = job.z_loss == 0;
        for (std::int64_t row = begin; job.row_scale && row < end; ++row) {
            const double r = job.row_scale[row];
            fits &= r == 0 || fit(r * gradient, r * product, 1);
        }
        usual = fits && (job.row_scale || fit(gradient, product, 1));
    }
    static bool fit(double x) { return kLeast <= std::abs(x) && std::abs(x) <= kMost; }
    bool fit(double g, double h, double mass) const {
        return fit(g * mass) && (!job.product || (fit(h * mass) && (bend == 0 || fit(g * bend * mass))));
    }

    // The same for a row of weight r, in numbers that fit, and what is missing: powers of two, and the room of the
    // terms.
    struct Balanced {
        double gradient, product, bend;
        int after, after_product, room;
    };
    Balanced balanced(double r, double mass) const {
        int of_r, of_factor, of_temperature, of_mass, of_cap = 0;
        const double t = std::frexp(job.temperature, &of_temperature);
        const double g = std::frexp(r, &of_r) * std::frexp(job.factor, &of_factor) / t;
        const double c = std::frexp(job.softcap, &of_cap);
        std::frexp(mass, &of_mass);
        const int power = of_r + of_factor - of_temperature, curved = power - of_temperature;
        const int reach = power + of_mass;
        const int farthest = !job.product ? reach : of_mass + (bend == 0 ? curved : std::max(curved, power - of_cap));
        Balanced b;
        b.room = std::max(reach, farthest) > Exp<T>::kRoom ? Exp<T>::kWideRoom : Exp<T>::kRoom;
        // of its powers of two a coefficient keeps these, so that neither it nor an entry on its way leaves the type
        constexpr int most = sizeof(T) == 4 ? 96 : 480;
        const auto kept = [&](int n) { return std::clamp(n, std::max(0, b.room - most), most); };
        b.after = reach - kept(reach), b.after_product = farthest - kept(farthest);
        b.gradient = std::ldexp(g, power - b.after);
        b.product = std::ldexp(g / t, curved - b.after_product);
        b.bend = bend == 0 ? 0.0 : std::ldexp(1 / c, b.after - b.after_product - of_cap);
        return b;
    }
};

// m·2^e, of any size
struct Scaled {
    double m;
    int e;
    Scaled() = default;
    explicit Scaled(double x, int power = 0) {
        m = std::frexp(x, &e);
        e = std::isfinite(x) ? e + power : 0;
    }
    double times(double x) const { return std::ldexp(m * x, e); }
    friend Scaled operator*(Scaled a, Scaled b) { return Scaled(a.m * b.m, a.e + b.e); }
    friend Scaled operator/(Scaled a, Scaled b) { return Scaled(a.m / b.m, a.e - b.e); }
    friend Scaled operator+(Scaled a, double b) { return a.e > 1000 ? a : Scaled(a.times(1) + b); }
};

// What the entries of distant rows (distant.inl) are computed with.
template <class T>
struct Distant {
    static constexpr double kFar = 0x1p900;  // |lse| from which on it is the maximum
    bool row[kLanes<T>];                     // which rows of the block
    // of a row's terms in the gradient, in the Hessian by difference to the mean,
    // and along it; and of its target
    Scaled coefficient[kLanes<T>], curvature[kLanes<T>], along[kLanes<T>], target[kLanes<T>];
};

}  // namespace luce::LUCE_LEVEL
