// What the derivatives of a batch are scaled by, and for a row whose scale would leave the type the same in numbers
// that fit and powers of two.
#pragma once

namespace luce::LUCE_LEVEL {

template <class T>
struct Scales {
    // what a coefficient may be multiplied by before it or an entry leaves the type
    static constexpr double kLeast = sizeof(T) == 4 ? 0x1p-60 : 0x1p-900, kMost = sizeof(T) == 4 ? 0x1p32 : 0x1p64;
    static constexpr double kLargest = 0x1p1022;  // that 2ζ·lse is taken for
    const Job<T>& job;
    double gradient, product;  // factor/temperature, factor/temperature²
    double bend;               // of a softcap's curve: 1/softcap
    bool usual;

    explicit Scales(const Job<T>& job_) : job(job_) {
        gradient = job.factor / job.temperature;
        product = gradient / job.temperature;
        bend = job.softcap != 0 ? 1 / job.softcap : 0.0;
        usual = fit(gradient, product, 1);
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
        std::frexp(std::min(mass, kLargest), &of_mass);
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
        if (mass > kLargest) b.after += 1200, b.after_product += 1200;  // infinity for all but what is 0
        return b;
    }
};

}  // namespace luce::LUCE_LEVEL
