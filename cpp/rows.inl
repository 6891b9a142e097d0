// Rows of logits: stable sums, exact losses, gradients and products; compiled once per level on top of lanes.inl.
//
// A block is up to W rows, one for each lane of a vector, in which everything is computed that there is one of per row.
// The passes over the classes go either through one row after another, each spread over the lanes and its sums then put
// into the row's lane (`Columns` false), or, where rows are short, through all rows at once, transposed into a buffer
// first.
//
// Exactness. With m the maximum, the sums leave the maximum itself out:
//     rest = Σ_{z_j < m} e_j,   s = ties·e_m + rest,   lse - u_j = (m - u_j) + log1p(ties - 1 + rest/e_m),
// so that a confident row keeps every digit of its loss, and the gradient at a unique maximum is
//     (α + 2ζ·lse)·p_m - t_m = (Σ_{j≠m} t_j + 2ζ·lse) - (α + 2ζ·lse)·rest/s,
// because p_m = 1 - rest/s. All loops are branch-free in the data; the results of a row depend on that row alone.

#include "distant.inl"
#include "transform.inl"

namespace luce::LUCE_LEVEL {

// ---------------------------------------------------------------------------------------------------------- blocks

// What a block computes with: the logits as they are and a few listed classes; the logits as they are and a target with
// mass everywhere; transformed logits (whose target is always written out).
enum class Mode { listed, spread, transformed };

// What derivatives are scaled by.
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

// A stretch of the block that lies in one piece; `at` counts in vectors' elements from the block's start.
template <class T>
struct Tile {
    std::int64_t at, size;
    const T *z, *u, *low, *slope, *curve, *target, *vector;
    T *grad, *product;
};

template <class T, bool Columns, Mode mode>
class Block {
    static constexpr int W = kLanes<T>;
    static constexpr bool kSpread = mode != Mode::listed, kPair = mode == Mode::transformed;
    static constexpr std::int64_t kTile = 1024;
    static constexpr std::int64_t kCapacity =
        Columns ? std::int64_t(kColumnClasses) * W : kTile + W * W;  // a tile and the ends
    using V = Vec<T>;
    using Index = typename Lane<T>::Bits;
    using Row = Wide<T>;  // a double for each row

  public:
    // Rows that stay in the fastest cache together.
    static int rows_for(std::int64_t classes) {
        constexpr std::int64_t kBytes = 65536;
        return Columns ? W : int(std::clamp<std::int64_t>(kBytes / sizeof(T) / classes, 1, W));
    }

    // What a run of blocks works in.
    struct Scratch {
        alignas(64) T z[kCapacity];
        alignas(64) T u[kCapacity], low[kCapacity], slope[kCapacity], curve[kCapacity];
        alignas(64) T target[kCapacity], vector[kCapacity], grad[kCapacity], product[kCapacity];
        // what the passes found in each row, still spread over the lanes
        static constexpr int kSpreadRows = Columns ? 1 : W;
        alignas(64) double sum[5][kSpreadRows][kLanes<double>] = {};
        alignas(64) T maximum[kSpreadRows][W] = {}, position[kSpreadRows][W] = {};
        Distant<T> distant;
        std::vector<T> listed;  // logits of the listed classes, which the gradient may overwrite
        explicit Scratch(const Job<T>& job) : listed(std::size_t(job.slots) * W) {}
    };

    Block(const Job<T>& job_, const Transform<T>& transform_, const Scales<T>& scales_, Scratch& scratch,
          std::int64_t row_, std::int64_t end)
        : job(job_),
          transform(transform_),
          scales(scales_),
          buffer(scratch),
          row(row_),
          rows(int(std::min<std::int64_t>(rows_for(job_.classes), end - row_))) {
        whole = Columns ? job.classes * W : job.classes / W * W;
        all_alive = true;
        row_scale = wide_splat<T>(1);
        if (job.drops()) {
            double r[W];
            for (int l = 0; l < W; ++l) {
                alive[l] = l < rows && !job.dropped(row + l);
                all_alive &= alive[l] || l >= rows;
                r[l] = !alive[l] ? 0.0 : job.row_scale ? job.row_scale[row + l] : 1.0;
            }
            row_scale = wide_load<T>(r);
        }
        scale = row_scale * wide_splat<T>(scales.gradient);
        curved_scale = row_scale * wide_splat<T>(scales.product);
        bend = splat(T(scales.bend));
        room = splat(T(Exp<T>::kRoom));
        for (int l = 0; l < W; ++l) iota[l] = Index(l);
        if constexpr (Columns) {
            fetch(job.logits, row + W);
            fetch(job.grad, row);
            gather(job.logits, buffer.z);
            if (job.vector) gather(job.vector, buffer.vector);
            for (int l = 0; l < rows && !all_alive; ++l)
                if (!alive[l])  // nothing that a dropped row holds may matter
                    for (std::int64_t j = 0; j < job.classes; ++j)
                        buffer.z[j * W + l] = buffer.vector[j * W + l] = T(0);
            columns = {0,       whole,   buffer.z,      buffer.z,    nullptr,       nullptr,
                       nullptr, nullptr, buffer.vector, buffer.grad, buffer.product};
        } else {
            for (int l = 0; l < rows && whole < job.classes; ++l) {
                // the ends of the rows, filled up with classes that can't happen
                const std::int64_t first = (row + l) * job.classes, place = kTile + l * W;
                const std::int64_t n = job.classes - whole;
                store(buffer.z + place,
                      load_first(job.logits + first + whole, n, splat(-std::numeric_limits<T>::infinity())));
                if (job.vector) store(buffer.vector + place, load_first(job.vector + first + whole, n, splat(T(0))));
                ends[l] = {whole,
                           W,
                           buffer.z + place,
                           buffer.z + place,
                           nullptr,
                           nullptr,
                           nullptr,
                           nullptr,
                           buffer.vector + place,
                           buffer.grad + place,
                           buffer.product + place};
            }
        }
    }

    void cross_entropy() {
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
        if (job.loss)
            write(job.loss, row_scale * (job.z_loss == 0 ? loss : loss + wide_splat<T>(job.z_loss) * lse * lse));
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

    void hessian() {
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

    void softmax() {
        summarise<!kPair, false>();
        factors.coefficient = narrow(inverse_sum);
        sweep<Probability>();
        deliver(buffer.grad, job.grad);
    }

    void log_softmax() {
        summarise<false, false>();
        factors.coefficient = narrow(log_sum);
        sweep<LogProbability>();
        deliver(buffer.grad, job.grad);
    }

    void statistics() {
        if (job.entropy || job.largest)
            summarise<false, false, true>();
        else
            summarise<false, false>();
        write_statistics();
    }

  private:
    void write_statistics() {
        if (job.lse) write(job.lse, lse);
        if (job.entropy) write(job.entropy, log_sum + loss * inverse_sum);
        for (int l = 0; job.largest && l < rows; ++l)
            job.largest[row + l] = (~top_position[l] & std::numeric_limits<Index>::max()) / (Columns ? W : 1);
    }

    // What makes a gradient of the terms: (α + 2ζ·lse)/s and t, both scaled, and the entries of their own form.
    struct Factors {
        V coefficient, target_scale, top, impossible;
        Int<T> iota, unique_top;
    };

    // -------------------------------------------------------------------------------------------- passes over a block

    struct Maximum {
        static constexpr bool kBare = true;  // reads the logits alone
        V value;
        LUCE_INLINE Maximum(const Block&, int) : value(splat(-std::numeric_limits<T>::infinity())) {}
        LUCE_INLINE void finish(Block& b, int l) { b.put_maximum(l, value); }
        LUCE_INLINE static void collect(Block& b) { b.collect_maximum(); }
        template <int U>
        LUCE_INLINE void step(const Tile<T>& t, std::int64_t i) {
            V z[U];
            LUCE_UNROLL for (int k = 0; k < U; ++k) z[k] = load(t.z + i + k * W);
            LUCE_UNROLL for (int k = 1; k < U; ++k) z[0] = max(z[k], z[0]);
            value = max(z[0], value);  // passes over NaN, which the sum meets again
        }
    };

    // rest and ties; with a spread target also Σ t·(m - u) and the target's mass beside and at the maximum. `Keep`
    // leaves the terms where the gradient will be, `Track` finds a position of the maximum. `Statistics` asks for
    // Σ e·(m - u) instead of the target's, and for the first NaN or else the first maximum.
    template <bool Keep, bool Track, bool Statistics>
    struct Summary {
        static constexpr bool kTarget = kSpread && !Statistics, kDistance = kSpread || Statistics;
        static constexpr bool kPosition = kSpread || Track || Statistics;
        static constexpr Index kNowhere = Statistics ? std::numeric_limits<Index>::min() : Index(-1);
        static constexpr bool kBare = false;
        const Exp<T> exp;
        const V z_max, u_max;
        const Int<T> iota;
        Sum<T> rest, distance, beside, at_top;
        V ties;
        Int<T> position;
        LUCE_INLINE Summary(const Block& b, int l)
            : exp(of(b.exp, l)),
              z_max(of(b.z_max, l)),
              u_max(of(b.u_max, l)),
              iota(b.iota),
              ties(splat(T(0))),
              position(splat_int<T>(kNowhere)) {}
        LUCE_INLINE void finish(Block& b, int l) {
            b.put(0, l, b.rest, rest.total());
            b.put(1, l, b.ties, widen(ties));
            if constexpr (kDistance) b.put(2, l, b.loss, distance.total());
            if constexpr (kTarget) {
                b.put(3, l, b.beside, beside.total());
                b.put(4, l, b.at_top, at_top.total());
            }
            if constexpr (kPosition) b.put_position(l, position);
        }
        LUCE_INLINE static void collect(Block& b) {
            b.collect(0, b.rest);
            b.collect(1, b.ties);
            if constexpr (kDistance) b.collect(2, b.loss);
            if constexpr (kTarget) {
                b.collect(3, b.beside);
                b.collect(4, b.at_top);
            }
            if constexpr (kPosition) b.collect_position();
        }

        template <int U>
        LUCE_INLINE void step(const Tile<T>& t, std::int64_t i) {
            const V zero{}, one = splat(T(1));
            V e[U], d[U], s[U], m[U];
            LUCE_UNROLL for (int k = 0; k < U; ++k) {
                const std::int64_t j = i + k * W;
                V z = load(t.z + j), u = load(t.u + j);  // before the terms are written, perhaps over them
                V e_j = term(exp, t, j);
                auto top = z == z_max;
                if constexpr (Keep) store(t.grad + j, kSpread ? mark_impossible(z, e_j) : e_j);
                ties += top ? one : zero;
                e[k] = top ? zero : e_j;
                if constexpr (kDistance) {
                    V share = e_j, gap = u_max - u;
                    if constexpr (kTarget) share = load(t.target + j);
                    if constexpr (kPair) gap -= load(t.low + j);
                    d[k] = share == zero ? zero : share * gap;  // 0·∞ = 0
                    if constexpr (kTarget) {
                        s[k] = top ? zero : share;
                        m[k] = top ? share : zero;
                    }
                }
                if constexpr (kPosition) {
                    const Int<T> here = iota + splat_int<T>(Index(t.at + j));
                    if constexpr (Statistics) {  // complements: the larger, the earlier; NaN with the sign flipped
                        Int<T> found = top ? ~here : splat_int<T>(kNowhere);
                        found = z != z ? ~here ^ splat_int<T>(kNowhere) : found;
                        position = found > position ? found : position;
                    } else {
                        position = top ? here : position;
                    }
                }
            }
            rest.add(pairwise<U>(e));
            if constexpr (kDistance) distance.add(pairwise<U>(d));
            if constexpr (kTarget) {
                beside.add(pairwise<U>(s));
                at_top.add(pairwise<U>(m));
            }
        }
    };

    template <bool Far>
    struct Gradient {
        static constexpr bool kBare = false;
        const Exp<T> exp;
        const Factors f;
        const bool capped;
        const V lowered;
        const Block& block;
        const int row;
        LUCE_INLINE Gradient(const Block& b, int l)
            : exp(of(b.exp, l)),
              f(of(b.factors, l)),
              capped(b.transform.capped),
              lowered(splat(T(b.transform.lowered))),
              block(b),
              row(l) {}
        LUCE_INLINE void finish(Block&, int) {}
        LUCE_INLINE static void collect(Block&) {}
        template <int U>
        LUCE_INLINE void step(const Tile<T>& t, std::int64_t i) {
            LUCE_UNROLL for (int k = 0; k < U; ++k) {
                const std::int64_t j = i + k * W;
                V e = kPair ? mark_impossible(load(t.z + j), term(exp, t, j)) : load(t.grad + j);
                V g = gradient(f, t, j, e);
                if (kPair && capped) g = g * load(t.slope + j) * lowered;
                if constexpr (Far) block.put_distant(t, j, row, e, g, nullptr, V{});
                store(t.grad + j, g);
            }
        }
    };

    // Σ e·(x - x_ref) with x = slope·v: shifted by its value at a peak of p, it loses nothing there
    struct Inner {
        static constexpr bool kBare = false;
        const Exp<T> exp;
        const V reference;
        const bool capped;
        Sum<T> sum;
        LUCE_INLINE Inner(const Block& b, int l)
            : exp(of(b.exp, l)), reference(of(b.reference, l)), capped(b.transform.capped) {}
        LUCE_INLINE void finish(Block& b, int l) { b.put(0, l, b.inner, sum.total()); }
        LUCE_INLINE static void collect(Block& b) { b.collect(0, b.inner); }
        template <int U>
        LUCE_INLINE void step(const Tile<T>& t, std::int64_t i) {
            V s[U];
            LUCE_UNROLL for (int k = 0; k < U; ++k) s[k] =
                term(exp, t, i + k * W) * (direction(t, i + k * W, capped) - reference);
            sum.add(pairwise<U>(s));
        }
    };

    // slope·H_u·x + g_u·curve·v
    template <bool WithGradient, bool Far>
    struct Product {
        static constexpr bool kBare = false;
        const Exp<T> exp;
        const Factors f;
        const V reference, mean_offset, curvature, along, bend, lowered;
        const bool capped;
        const Block& block;
        const int row;
        LUCE_INLINE Product(const Block& b, int l)
            : exp(of(b.exp, l)),
              f(of(b.factors, l)),
              reference(of(b.reference, l)),
              mean_offset(of(b.mean_offset, l)),
              curvature(of(b.curvature, l)),
              along(of(b.along, l)),
              bend(of(b.bend, l)),
              lowered(splat(T(b.transform.lowered))),
              capped(b.transform.capped),
              block(b),
              row(l) {}
        LUCE_INLINE void finish(Block&, int) {}
        LUCE_INLINE static void collect(Block&) {}
        template <int U>
        LUCE_INLINE void step(const Tile<T>& t, std::int64_t i) {
            LUCE_UNROLL for (int k = 0; k < U; ++k) {
                const std::int64_t j = i + k * W;
                V e = term(exp, t, j);
                if constexpr (kSpread) e = mark_impossible(load(t.z + j), e);
                const V x = (direction(t, j, capped) - reference) - mean_offset;
                V h = e * fma(curvature, x, along), g{};
                if constexpr (kPair || WithGradient) {
                    g = gradient(f, t, j, e);
                    if (kPair && capped) {
                        // slope, curve and what h was computed with are lifted, which results lose at the end
                        h = h * lowered * load(t.slope + j) + g * (load(t.curve + j) * bend * load(t.vector + j));
                        h *= lowered;
                        g = g * load(t.slope + j) * lowered;
                    }
                }
                if constexpr (Far) block.put_distant(t, j, row, e, g, &h, x);
                if constexpr (WithGradient) store(t.grad + j, g);
                store(t.product + j, h);
            }
        }
    };

    struct Probability {
        static constexpr bool kBare = false;
        const Exp<T> exp;
        const V inverse_sum;
        LUCE_INLINE Probability(const Block& b, int l) : exp(of(b.exp, l)), inverse_sum(of(b.factors.coefficient, l)) {}
        LUCE_INLINE void finish(Block&, int) {}
        LUCE_INLINE static void collect(Block&) {}
        template <int U>
        LUCE_INLINE void step(const Tile<T>& t, std::int64_t i) {
            LUCE_UNROLL for (int k = 0; k < U; ++k) {
                const std::int64_t j = i + k * W;
                store(t.grad + j, (kPair ? term(exp, t, j) : load(t.grad + j)) * inverse_sum);
            }
        }
    };

    struct LogProbability {
        static constexpr bool kBare = false;
        const V u_max, log_sum;
        LUCE_INLINE LogProbability(const Block& b, int l)
            : u_max(of(b.u_max, l)), log_sum(of(b.factors.coefficient, l)) {}
        LUCE_INLINE void finish(Block&, int) {}
        LUCE_INLINE static void collect(Block&) {}
        template <int U>
        LUCE_INLINE void step(const Tile<T>& t, std::int64_t i) {
            LUCE_UNROLL for (int k = 0; k < U; ++k) {
                const std::int64_t j = i + k * W;
                V d = load(t.u + j) - u_max;
                if constexpr (kPair) d += load(t.low + j);
                store(t.grad + j, d - log_sum);
            }
        }
    };

    // Σ t·(u_max - u) in double, for rows in which a difference of two logits left the type; without a softcap in units
    // of 4/temperature, that of double, too
    struct Distance {
        static constexpr bool kBare = false;
        const Transform<T>& transform;
        const typename Transform<T>::About about;
        const V z_max;
        Row sum;
        LUCE_INLINE Distance(const Block& b, int l)
            : transform(b.transform), about(b.about[Columns ? 0 : l]), z_max(of(b.z_max, l)), sum(wide_splat<T>(0)) {}
        LUCE_INLINE void finish(Block& b, int l) { b.put(2, l, b.distance, sum); }
        LUCE_INLINE static void collect(Block& b) { b.collect(2, b.distance); }
        template <int U>
        LUCE_INLINE void step(const Tile<T>& t, std::int64_t i) {
            const Row quarter = wide_splat<T>(0.25), zero = wide_splat<T>(0);
            for (std::int64_t j = i; j < i + U * W; j += W) {
                const V z = load(t.z + j);
                const Row share = widen(load(t.target + j));
                const Row gap =
                    kPair && transform.capped ? transform.gap(z, about) : quarter * widen(z_max) - quarter * widen(z);
                sum = sum + where_equal(share, zero, zero, share * gap);
            }
        }
    };

    template <class Pass>
    LUCE_INLINE void sweep() {
        if constexpr (Columns) {
            Pass pass(*this, 0);
            walk(columns, pass);
            pass.finish(*this, 0);
        } else {
            for (int l = 0; l < rows; ++l) {
                if (!live(l)) continue;
                Pass pass(*this, l);
                const std::int64_t first = (row + l) * job.classes;
                for (std::int64_t at = 0; at < whole; at += kTile) {
                    const T* z = job.logits + first + at;
                    Tile<T> t{at,
                              std::min(kTile, whole - at),
                              z,
                              z,
                              nullptr,
                              nullptr,
                              nullptr,
                              nullptr,
                              job.vector ? job.vector + first + at : nullptr,
                              job.grad ? job.grad + first + at : nullptr,
                              job.product ? job.product + first + at : nullptr};
                    if constexpr (!Pass::kBare) prepare(t, 0, l);
                    walk(t, pass);
                }
                if (whole < job.classes) walk(ends[l], pass);
                pass.finish(*this, l);
            }
            Pass::collect(*this);
        }
    }

    template <class Pass>
    LUCE_INLINE static void walk(const Tile<T>& t, Pass& pass) {
        std::int64_t i = 0;
        for (; i + 4 * W <= t.size; i += 4 * W) pass.template step<4>(t, i);
        if (t.size - i >= 2 * W) {
            pass.template step<2>(t, i);
            i += 2 * W;
        }
        if (i < t.size) pass.template step<1>(t, i);
    }

    // ------------------------------------------------------------------------------------------ one vector of a block

    LUCE_INLINE static V term(const Exp<T>& exp, const Tile<T>& t, std::int64_t j) {
        if constexpr (kPair)
            return exp.template term<true>(load(t.u + j), load(t.low + j));
        else
            return exp.template term<false>(load(t.z + j), V{});
    }

    LUCE_INLINE static V direction(const Tile<T>& t, std::int64_t j, bool capped) {
        V v = load(t.vector + j);
        if (kPair && capped) v *= load(t.slope + j);
        return v;
    }

    // (α + 2ζ·lse)·p - t, scaled, in u; without the listed classes' targets, which patch_listed adds
    LUCE_INLINE static V gradient(const Factors& f, const Tile<T>& t, std::int64_t j, V e) {
        V g = e * f.coefficient;
        if constexpr (kSpread) {
            auto top = f.iota + splat_int<T>(Index(t.at + j)) == f.unique_top;
            g = top ? f.top : g - load(t.target + j) * f.target_scale;
            g = (Int<T>)e < Int<T>{} ? f.impossible : g;
        }
        return g;
    }

    // -0 where the class is impossible, so that later passes know after the logits are gone
    LUCE_INLINE static V mark_impossible(V z, V e) {
        return z == splat(-std::numeric_limits<T>::infinity()) ? splat(T(-0.0)) : e;
    }

    // --------------------------------------------------------------------------------------------- the block's sums

    template <bool Keep, bool Track, bool Statistics = false>
    LUCE_INLINE void summarise() {
        if constexpr (!kSpread) read_listed();
        sweep<Maximum>();
        u_max = kPair ? V{} : z_max;
        largest = widen(z_max);
        Row largest_low = wide_splat<T>(0);
        if constexpr (kPair) look_about(largest_low);
        if constexpr (kSpread) prepare_held();
        balance();
        exp.start(u_max, job.product ? splat(T(Exp<T>::kRoom)) : room);
        sweep<Summary<Keep, Track, Statistics>>();
        const Row top_term = widen(exp.template term<false>(u_max, V{})), one = wide_splat<T>(1);
        // no finite maximum: NaN for the whole row
        rest = rest + widen(z_max - z_max);
        const Row sum = ties * top_term + rest;
        inverse_sum = one / sum;
        log_sum = log1p((ties - one) + rest / top_term);
        lse = largest + (log_sum + largest_low);
        if constexpr (kSpread && !Statistics) {
            alpha = beside + at_top;
            loss = loss + alpha * log_sum;
            alpha = alpha + wide_splat<T>(job.mass);
        }
    }

    // Each row's maximum, about which its logits are transformed, and the largest u.
    LUCE_INLINE void look_about(Row& low) {
        if constexpr (Columns) {
            about[0] = transform.row(z_max);
            about[0].largest(largest, low);
        } else {
            double high[W] = {}, rest[W] = {};
            for (int l = 0; l < rows; ++l) {
                if (!live(l)) continue;
                about[l] = transform.row(splat(z_max[l]));
                Row u, v;
                about[l].largest(u, v);
                high[l] = u.part[0][0], rest[l] = v.part[0][0];
            }
            largest = wide_load<T>(high), low = wide_load<T>(rest);
        }
    }

    // What the terms are multiplied by, r·factor/temperature and α + 2ζ·lse, may be of any size. Where a coefficient
    // would leave the type, the terms get more room, and what is still amiss is a power of two that the results get at
    // the end.
    LUCE_INLINE void balance() {
        if (scales.usual) return;
        double r[W], u[W], g[W], h[W];
        wide_store(r, row_scale), wide_store(u, largest), wide_store(g, scale), wide_store(h, curved_scale);
        for (int l = 0; l < rows; ++l) {
            after[l] = after_product[l] = 0;
            buffer.distant.row[l] = false;
            const double mass =
                job.z_loss == 0 ? 1 : 1 + 2 * job.z_loss * (std::abs(u[l]) + 20);  // α + 2ζ·lse, roughly
            if (!live(l) || r[l] * job.factor == 0 || !std::isfinite(r[l]) || mass != mass) continue;
            if (mass > scales.kMost) {
                buffer.distant.row[l] = some_distant = rescaled = true;
                room[l] = T(Exp<T>::kWideRoom);
                continue;
            }
            if (scales.fit(g[l], h[l], mass)) continue;
            const auto b = scales.balanced(r[l], mass);
            g[l] = b.gradient, h[l] = b.product, bend[l] = T(b.bend), room[l] = T(b.room);
            after[l] = b.after, after_product[l] = b.after_product;
            rescaled = true;
        }
        if (rescaled) scale = wide_load<T>(g), curved_scale = wide_load<T>(h);
    }

    // What products with a vector were summed without.
    LUCE_INLINE void widen_room() {
        if (!rescaled) return;
        exp.start(u_max, room);
        double more[W];
        for (int l = 0; l < W; ++l) more[l] = std::ldexp(1.0, int(room[l]) - Exp<T>::kRoom);
        rest = rest * wide_load<T>(more);
        inverse_sum = inverse_sum / wide_load<T>(more);
    }

    // Multiply what is in memory by a row's power of two, in steps that are numbers of the type.
    LUCE_INLINE void rescale(T* to, const int (&powers)[W]) const {
        constexpr int step = std::numeric_limits<T>::max_exponent - 2;
        if (!rescaled) return;
        for (int l = 0; l < rows; ++l) {
            T* const first = to + (row + l) * job.classes;
            for (int left = powers[l], n; left != 0; left -= n) {
                n = std::clamp(left, -step, step);
                const T power = T(std::ldexp(1.0, n));
                for (std::int64_t j = 0; j < job.classes; ++j) first[j] *= power;
            }
        }
    }

    // Differences of opposite extremes are infinite, their shares of the loss need not be.
    LUCE_INLINE void find_lost_distances() {
        double l[W];
        wide_store(l, loss);
        bool lost = false;
        for (int i = 0; i < rows; ++i) lost |= live(i) && l[i] == std::numeric_limits<double>::infinity();
        if (!lost) return;
        sweep<Distance>();
        const Row infinity = wide_splat<T>(std::numeric_limits<double>::infinity());
        const Row unit = wide_splat<T>(kPair && transform.capped ? 1 : 4 / job.temperature);
        loss = where_equal(loss, infinity, unit * distance + alpha * log_sum, loss);
    }

    // α, Σ t·(lse - u), and the factors of the gradient
    LUCE_INLINE void weigh_target() {
        const Row zero = wide_splat<T>(0);
        if constexpr (!kSpread) {
            alpha = wide_splat<T>(job.mass);
            beside = at_top = zero;
            loss = log_sum - log_sum;  // 0, or NaN
            for (std::int64_t slot = 0; slot < job.slots; ++slot) {
                const Listed entry = listed(slot);
                const Row v = entry.value, gap = widen(u_max) - widen(entry.u);
                alpha = alpha + v;
                beside = beside + where_equal(gap, zero, zero, v);
                at_top = at_top + where_equal(gap, zero, v, zero);
                loss = loss + where_equal(v, zero, zero, v * (gap + log_sum));  // 0·∞ = 0
            }
        }
        const Row slack = job.z_loss == 0 ? zero : wide_splat<T>(2 * job.z_loss) * lse;
        mass = alpha + slack;
        factors.coefficient = narrow(mass * inverse_sum * scale);
        factors.target_scale = narrow(scale);
        const Row q = rest * inverse_sum, one = wide_splat<T>(1);
        factors.top = narrow(((beside + slack) - mass * q) * scale);
        // Of the two forms of a unique maximum's entry, the one whose terms are smaller loses less.
        const Row other_form = size(mass) * (one - q) + at_top, own_form = beside + size(slack) + size(mass) * q;
        own = where_less(own_form, other_form, where_equal(ties, one, one, zero), zero);
        factors.impossible = factors.coefficient - factors.coefficient;  // 0, or NaN in a row of NaN
        factors.iota = iota;
        if (some_distant) weigh_distant();
        if constexpr (kSpread) factors.unique_top = narrow(own) == splat(T(1)) ? top_position : splat_int<T>(-1);
    }

    // The factors of distant rows. Beside so large an α + 2ζ·lse the two forms of a maximum's entry are the same.
    LUCE_APART void weigh_distant() {
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
    LUCE_APART void put_distant(const Tile<T>& t, std::int64_t j, int row_of, V e, V& g, V* h, V x) const {
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

    // One listed class of each row: its place in the block, its logit, its share of the target.
    struct Listed {
        std::int64_t place[W];
        V u;
        Row value;
    };
    LUCE_INLINE Listed listed(std::int64_t slot) const {
        Listed entry;
        find_places(slot, entry.place);
        entry.u = load(buffer.listed.data() + slot * W);
        if (!job.value && !job.weight && all_alive) {
            entry.value = wide_splat<T>(job.keep);
        } else {
            double value[W] = {};
            for (int l = 0; l < rows; ++l)
                if (live(l)) value[l] = listed_value((row + l) * job.slots + slot);
            entry.value = wide_load<T>(value);
        }
        return entry;
    }
    LUCE_INLINE double listed_value(std::int64_t at) const {
        return (job.value ? double(job.value[at]) : 1.0) * job.keep *
               (job.weight ? double(job.weight[job.index[at]]) : 1.0);
    }
    // The place of a row's listed class: in the columns, or in the row.
    LUCE_INLINE void find_places(std::int64_t slot, std::int64_t (&place)[W]) const {
        const std::int64_t* index = job.index + row * job.slots + slot;
        if (all_alive && rows == W) {
            for (int l = 0; l < W; ++l) place[l] = Columns ? index[l * job.slots] * W + l : index[l * job.slots];
        } else {
            for (int l = 0; l < W; ++l) {
                const std::int64_t y = l < rows && live(l) ? index[l * job.slots] : 0;
                place[l] = Columns ? y * W + l : y;
            }
        }
    }
    // before a pass may write over the logits
    LUCE_INLINE void read_listed() {
        for (std::int64_t slot = 0; slot < job.slots; ++slot) {
            std::int64_t place[W];
            find_places(slot, place);
            T* const u = buffer.listed.data() + slot * W;
            if constexpr (Columns) {
                for (int l = 0; l < W; ++l) u[l] = buffer.z[place[l]];
            } else {
                for (int l = 0; l < W; ++l) u[l] = l < rows ? job.logits[(row + l) * job.classes + place[l]] : T(0);
            }
        }
    }
    LUCE_INLINE T& gradient_at(int l, std::int64_t place) const {
        if constexpr (Columns) return buffer.grad[place];
        // the end of a row is still in the buffer
        return place < whole ? job.grad[(row + l) * job.classes + place] : buffer.grad[kTile + l * W + place - whole];
    }

    // -t of the listed classes, and the whole gradient of one that is the unique maximum
    LUCE_INLINE void patch_listed() {
        if constexpr (!kSpread) {
            const V unique = narrow(own), one = splat(T(1));
            for (std::int64_t slot = 0; slot < job.slots; ++slot) {
                const Listed entry = listed(slot);
                T g[W] = {};
                for (int l = 0; l < rows; ++l) g[l] = gradient_at(l, entry.place[l]);
                V value = narrow(widen(load(g)) - entry.value * scale);
                V top = unique == one ? factors.top : value;
                value = entry.u == u_max ? top : value;
                value = entry.u == splat(-std::numeric_limits<T>::infinity()) ? factors.impossible : value;
                store(g, value);
                for (int l = 0; l < rows; ++l)
                    if (live(l)) gradient_at(l, entry.place[l]) = g[l];
            }
        }
    }

    // x at the maximum, where that has half of the mass. Elsewhere it may count for little in <p, |x|>, to whose digits
    // products are held, and a difference to it would cost them.
    LUCE_INLINE void find_reference() {
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

    // ------------------------------------------------------------------------- what a tile holds beside the logits

    // of all that stays in the buffer
    LUCE_INLINE void prepare_held() {
        if constexpr (Columns)
            prepare(columns, 0, 0);
        else
            for (int l = 0; l < rows && whole < job.classes; ++l)
                if (live(l)) prepare(ends[l], kTile + l * W, l);
    }

    // of row l, at `place` of the buffers
    LUCE_INLINE void prepare(Tile<T>& t, std::int64_t place, int l) {
        if constexpr (kPair) {
            transform.rows(t.z, t.size, about[l], buffer.u + place, buffer.low + place, buffer.slope + place,
                           buffer.curve + place);
            t.u = buffer.u + place, t.low = buffer.low + place;
            t.slope = buffer.slope + place, t.curve = buffer.curve + place;
        }
        if constexpr (kSpread) {
            t.target = buffer.target + place;
            if constexpr (Columns)
                write_columns_target();
            else
                write_row_target(t, buffer.target + place, l);
        }
    }

    // A row's target in [at, at + n)
    LUCE_INLINE void write_row_target(Tile<T>& t, T* target, int l) {
        const std::int64_t at = t.at, n = std::min(t.size, job.classes - at);
        const T smooth = T(job.smooth);
        if (job.dense) {
            const T* const given = job.dense + (row + l) * job.classes + at;
            if (n == t.size && job.keep == 1 && smooth == 0 && !job.weight) {
                t.target = given;
                return;
            }
            for (std::int64_t i = 0; i < n; ++i) target[i] = given[i] * T(job.keep) + smooth;
        } else {
            const T background = T(job.smooth + (job.tail ? job.keep * job.tail[row + l] : 0.0));
            for (std::int64_t i = 0; i < n; ++i) target[i] = background;
        }
        if (job.weight)
            for (std::int64_t i = 0; i < n; ++i) target[i] *= job.weight[at + i];
        for (std::int64_t i = n; i < t.size; ++i) target[i] = 0;
        if (live(l)) write_listed_target(target, l, at, n, 1);
    }

    LUCE_INLINE void write_columns_target() {
        T* const target = buffer.target;
        if (job.dense) {
            gather(job.dense, target);
            for (std::int64_t j = 0; j < job.classes; ++j)
                store(target + j * W, load(target + j * W) * splat(T(job.keep)) + splat(T(job.smooth)));
        } else {
            double background[W];
            for (int l = 0; l < W; ++l)
                background[l] = job.smooth + (job.tail && l < rows ? job.keep * job.tail[row + l] : 0.0);
            const V b = narrow(wide_load<T>(background));
            for (std::int64_t j = 0; j < job.classes; ++j) store(target + j * W, b);
        }
        if (job.weight)
            for (std::int64_t j = 0; j < job.classes; ++j)
                store(target + j * W, load(target + j * W) * splat(job.weight[j]));
        for (int l = 0; l < rows; ++l)
            if (live(l))
                write_listed_target(target + l, l, 0, job.classes, W);
            else
                for (std::int64_t j = 0; j < job.classes; ++j) target[j * W + l] = T(0);
    }

    // listed classes get no share of the tail; classes listed twice add up
    LUCE_INLINE void write_listed_target(T* target, int l, std::int64_t at, std::int64_t n, std::int64_t stride) {
        const std::int64_t first = (row + l) * job.slots;
        for (int add = 0; add < 2; ++add)
            for (std::int64_t slot = 0; slot < job.slots; ++slot) {
                const std::int64_t y = job.index[first + slot];
                if (y < at || y >= at + n) continue;
                T& t = target[(y - at) * stride];
                const double base = job.smooth * (job.weight ? double(job.weight[y]) : 1.0);
                t = T(add ? double(t) + listed_value(first + slot) : base);
            }
    }

    // -------------------------------------------------------------------------------------------------- in and out

    // The rows of a block lie side by side but are walked in parallel, which the hardware does not foresee.
    LUCE_INLINE void fetch(const T* from, std::int64_t first) const {
        if (!from || first + W > job.rows) return;
        const char* p = reinterpret_cast<const char*>(from + first * job.classes);
        const std::int64_t bytes = W * job.classes * std::int64_t(sizeof(T));
        for (std::int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(p + i);
    }

    // rows of memory to columns of the buffer
    LUCE_INLINE void gather(const T* from, T* to) const {
        from += row * job.classes;
        const T* const limit = from + rows * job.classes;
        for (std::int64_t j = 0; j < job.classes; j += W) {
            V m[W];
            for (int l = 0; l < W; ++l) {
                const T* p = from + l * job.classes + j;
                // past the row's end: lanes that are not kept
                m[l] = p + W <= limit ? load(p) : load_first(p, std::clamp<std::int64_t>(limit - p, 0, W), splat(T(0)));
            }
            transpose<T>(m);
            const int n = int(std::min<std::int64_t>(W, job.classes - j));
            for (int i = 0; i < n; ++i) store(to + (j + i) * W, m[i]);
        }
    }

    // and back. Whole vectors are stored from the last columns to the first and from the first row to the last, so that
    // what runs over a row's end is overwritten by its right value; the block's end is never crossed.
    LUCE_INLINE void scatter(const T* from, T* to) const {
        to += row * job.classes;
        T* const limit = to + rows * job.classes;
        for (std::int64_t j = (job.classes - 1) / W * W; j >= 0; j -= W) {
            V m[W];
            const int n = int(std::min<std::int64_t>(W, job.classes - j));
            for (int i = 0; i < W; ++i) m[i] = i < n ? load(from + (j + i) * W) : V{};
            transpose<T>(m);
            for (int l = 0; l < rows; ++l) {
                T* p = to + l * job.classes + j;
                if (p + W <= limit)
                    store(p, m[l]);
                else
                    store_first(p, n, m[l]);
            }
        }
    }

    LUCE_INLINE void deliver(const T* from, T* to) const {
        if constexpr (Columns) {
            scatter(from, to);
        } else {
            for (int l = 0; l < rows && whole < job.classes; ++l)
                if (live(l))
                    store_first(to + (row + l) * job.classes + whole, job.classes - whole, load(from + kTile + l * W));
        }
    }

    LUCE_INLINE void write(double* to, Row value) const {
        to += row;
        if (rows == W && all_alive) {
            wide_store(to, value);
        } else {
            double l[W];
            wide_store(l, value);
            for (int i = 0; i < rows; ++i) to[i] = live(i) ? l[i] : 0.0;
        }
    }

    LUCE_INLINE bool live(int l) const { return all_alive || alive[l]; }

    // What a dropped row gets; the passes leave it out, and nothing reads what its lane holds meanwhile.
    LUCE_INLINE void skip_dropped() {
        if (Columns || all_alive) return;
        for (int l = 0; l < rows; ++l)
            if (!live(l))
                for (T* result : {job.grad, job.product})
                    if (result) std::fill_n(result + (row + l) * job.classes, job.classes, T(0));
    }

    // ---------------------------------------------------------------------------------------------- over the lanes

    // A row's own value in every lane, where a pass goes through one row.
    LUCE_INLINE static V of(const V& v, int l) { return Columns ? v : splat(v[l]); }
    LUCE_INLINE static Int<T> of(const Int<T>& v, int l) { return Columns ? v : splat_int<T>(v[l]); }
    LUCE_INLINE static Unsigned<T> of(const Unsigned<T>& v, int l) { return Columns ? v : v[l] - Unsigned<T>{}; }
    LUCE_INLINE static Exp<T> of(const Exp<T>& e, int l) { return {of(e.origin, l), of(e.scale, l), of(e.floor, l)}; }
    LUCE_INLINE static Factors of(const Factors& f, int l) {
        return {of(f.coefficient, l), of(f.target_scale, l), of(f.top, l), of(f.impossible, l), f.iota,
                of(f.unique_top, l)};
    }

    // What a pass found in a row, and, when it has been through all of them, each row's into its lane. Rows that are
    // spread over the lanes are reduced together, by a transposition: some five instructions a row instead of thirty.
    LUCE_INLINE void put(int which, int l, Row& to, Row v) {
        if constexpr (Columns) {
            to = v;
        } else {
            for (int i = 1; i < Row::kParts; ++i) v.part[0] += v.part[i];
            store(buffer.sum[which][l], v.part[0]);
        }
    }
    LUCE_INLINE void collect(int which, Row& to) const {
        constexpr int L = kLanes<double>;
        for (int p = 0; p < Row::kParts; ++p) {
            D m[L];
            LUCE_UNROLL for (int i = 0; i < L; ++i) m[i] = load(buffer.sum[which][p * L + i]);
            transpose<double>(m);
            to.part[p] = pairwise<L>(m);
        }
    }
    LUCE_INLINE void put_maximum(int l, V v) {
        if constexpr (Columns)
            z_max = v;
        else
            store(buffer.maximum[l], v);
    }
    LUCE_INLINE void collect_maximum() {
        V m[W];
        LUCE_UNROLL for (int i = 0; i < W; ++i) m[i] = load(buffer.maximum[i]);
        transpose<T>(m);
        LUCE_UNROLL for (int n = W / 2; n > 0; n /= 2) LUCE_UNROLL for (int i = 0; i < n; ++i) m[i] =
            max(m[i], m[i + n]);
        z_max = m[0];
    }
    LUCE_INLINE void put_position(int l, Int<T> v) {
        if constexpr (Columns)
            top_position = v;
        else
            store(buffer.position[l], (V)v);
    }
    LUCE_INLINE void collect_position() {
        V m[W];
        LUCE_UNROLL for (int i = 0; i < W; ++i) m[i] = load(buffer.position[i]);
        transpose<T>(m);
        top_position = (Int<T>)m[0];
        LUCE_UNROLL for (int i = 1; i < W; ++i) top_position =
            (Int<T>)m[i] > top_position ? (Int<T>)m[i] : top_position;
    }

    // ------------------------------------------------------------------------------------------------------- state

    const Job<T>& job;
    const Transform<T>& transform;
    const Scales<T>& scales;
    Scratch& buffer;
    const std::int64_t row;
    const int rows;
    std::int64_t whole;        // elements that fill their vectors
    bool all_alive, alive[W];  // the second only where a row may be ignored or scaled
    Row row_scale, scale;
    Int<T> iota;
    Tile<T> columns, ends[Columns ? 1 : W];  // what stays in the buffer throughout

    V z_max, u_max, room;  // u_max is 0 where logits are transformed, which is done about it
    Exp<T> exp;
    Row largest;  // u, as it is
    Row rest, ties, inner, inverse_sum, log_sum, lse, distance;
    Row alpha, beside, at_top, loss, mass;  // mass = α + 2ζ·lse
    Row own;                                // 1 where the maximum's entry has its own form, else 0
    Int<T> top_position;
    Factors factors;
    V reference, mean_offset, curvature, along, bend;
    Row curved_scale;
    bool some_distant = false;
    bool rescaled = false;  // whether results get the powers of two in `after` at the end
    int after[W], after_product[W];
    typename Transform<T>::About about[Columns || !kPair ? 1 : W];
};

// ------------------------------------------------------------------------------------------------------ entry points

enum class Operation { cross_entropy, hessian, softmax, log_softmax, statistics };

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
    if (job.classes <= kColumnClasses)
        run_mode<operation, true>(job, begin, end);
    else
        run_mode<operation, false>(job, begin, end);
}

// ----------------------------------------------------------------------------------------------------------- sigmoid

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
    const Wide<T> one = wide_splat<T>(1), keep = wide_splat<T>(job.keep), smooth = wide_splat<T>(job.smooth / 2);
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
            const Wide<T> yes = t * keep + smooth, no = (one - t) * keep + smooth;
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

// ------------------------------------------------------------------------------------------------------------- total

// Eight lanes at every level, each compensated, then the lanes likewise.
static double total(const double* x, std::int64_t size) {
    constexpr int W = kLanes<double>, kParts = 8 / W;
    Sum<double> sum[kParts];
    for (std::int64_t i = 0; i < size; i += 8)
        for (int p = 0; p < kParts; ++p) {
            const std::int64_t at = i + p * W;
            sum[p].add(at + W <= size ? load(x + at)
                                      : load_first(x + at, std::clamp<std::int64_t>(size - at, 0, W), D{}));
        }
    double high[8], low[8], s = 0, lost = 0, plain = 0;
    for (int p = 0; p < kParts; ++p) {
        store(high + p * W, sum[p].high);
        store(low + p * W, sum[p].low);
    }
    for (int l = 0; l < 8; ++l) {
        double e;
        plain += high[l];
        two_sum(s, high[l], s, e);
        lost += e + low[l];
    }
    return std::isfinite(plain) ? s + lost : plain;  // once the sum is infinite there is nothing to compensate
}

template <class T>
constexpr Kernels<T> kernels() {
    return {run<Operation::cross_entropy, T>, run<Operation::hessian, T>,    run<Operation::softmax, T>,
            run<Operation::log_softmax, T>,   run<Operation::statistics, T>, run_sigmoid<T>};
}

}  // namespace luce::LUCE_LEVEL
