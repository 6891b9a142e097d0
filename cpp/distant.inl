// Rows whose α + 2ζ·lse is beyond what a coefficient of the type can hold,
// because of a large z_loss or of logits near the end of the range. Their
// entries, A·p - t and what the Hessian adds, are computed one after another,
// with factors that are a fraction and a power of two: what is in range comes
// out, also as a tiny share of what is not.

namespace luce::LUCE_LEVEL {

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

// max u, where a double is too small for it
template <class T>
Scaled farthest(const Job<T>& job, double z_max) {
    const Scaled u = job.softcap != 0 ? Scaled(job.softcap) * Scaled(std::tanh(z_max / job.softcap)) : Scaled(z_max);
    return u / Scaled(job.temperature);
}

template <class T>
struct Distant {
    static constexpr double kFar = 0x1p900;  // |lse| from which on it is the maximum
    bool row[kLanes<T>];                     // which rows of the block
    // of a row's terms in the gradient, in the Hessian by difference to the mean,
    // and along it; and of its target
    Scaled coefficient[kLanes<T>], curvature[kLanes<T>], along[kLanes<T>], target[kLanes<T>];
};

}  // namespace luce::LUCE_LEVEL
