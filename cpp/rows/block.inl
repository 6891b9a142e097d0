// A block of rows: up to W of them, one for each lane of a vector, in which everything is computed that there is one of
// per row. The passes over the classes go either through one row after another, each spread over the lanes and its sums
// then put into the row's lane (`Columns` false), or, where rows are short, through all rows at once, transposed into a
// buffer first. Here are the parts of a block, each of which has a file of its own, and what they share.
//
// Exactness. With m the maximum, the sums leave the maximum itself out:
//     rest = Σ_{z_j < m} e_j,   s = ties·e_m + rest,   lse - u_j = (m - u_j) + log1p(ties - 1 + rest/e_m),
// so that a confident row keeps every digit of its loss, and the gradient at a unique maximum is
//     (α + 2ζ·lse)·p_m - t_m = (Σ_{j≠m} t_j + 2ζ·lse) - (α + 2ζ·lse)·rest/s,
// because p_m = 1 - rest/s. All loops are branch-free in the data; the results of a row depend on that row alone.
#pragma once

#include "../lanes/elementary.inl"
#include "../lanes/sums.inl"
#include "scales.inl"
#include "transform.inl"

namespace luce::LUCE_LEVEL {

// What a block computes with: the logits as they are and a few listed classes; the logits as they are and a target with
// mass everywhere; transformed logits (whose target is always written out).
enum class Mode { listed, spread, transformed };

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
        explicit Scratch(const Job<T>& job) : listed(std::size_t(job.n_listed) * W) {}
    };

    // The rows from `row` on: how many, which of them count, and, where they are short, their columns.
    inline Block(const Job<T>& job, const Transform<T>& transform, const Scales<T>& scales, Scratch& scratch,
                 std::int64_t row, std::int64_t end);

    // What may be asked of the rows: the passes to take, and what is written (operations.inl).
    inline void cross_entropy();
    inline void hessian();
    inline void softmax();
    inline void log_softmax();
    inline void statistics();

  private:
    inline void write_statistics();
    LUCE_INLINE void find_reference();

    // The passes over the classes: each a constructor that takes what it needs of row l, a step of U vectors, and what
    // becomes of what it found. A sweep takes one through all rows (passes.inl).
    struct Maximum;
    template <bool Keep, bool Track, bool Statistics>
    struct Summary;
    template <bool Far>
    struct Gradient;
    struct Inner;
    template <bool WithGradient, bool Far>
    struct Product;
    struct Probability;
    struct LogProbability;
    struct Distance;
    template <class Pass>
    LUCE_INLINE void sweep();
    template <class Pass>
    LUCE_INLINE static void walk(const Tile<T>& t, Pass& pass);

    // What makes a gradient of the terms: (α + 2ζ·lse)/s and t, both scaled, and the entries of their own form.
    struct Factors {
        V coefficient, target_scale, top, impossible;
        Int<T> iota, unique_top;
    };

    // What a pass computes of one vector of classes (passes.inl).
    LUCE_INLINE static V term(const Exp<T>& exp, const Tile<T>& t, std::int64_t j);
    LUCE_INLINE static V direction(const Tile<T>& t, std::int64_t j, bool capped);
    LUCE_INLINE static V gradient(const Factors& f, const Tile<T>& t, std::int64_t j, V e);
    LUCE_INLINE static V mark_impossible(V z, V e);

    // The sums of each row, which its loss and its derivatives follow from, and what keeps them in the type (sums.inl).
    template <bool Keep, bool Track, bool Statistics = false>
    LUCE_INLINE void summarise();
    LUCE_INLINE void look_about(Row& low);
    LUCE_INLINE void balance();
    LUCE_INLINE void widen_room();
    LUCE_INLINE void rescale(T* to, const int (&powers)[W]) const;
    LUCE_INLINE void find_lost_distances();
    LUCE_INLINE void weigh_target();

    // Rows of which one coefficient can't hold α + 2ζ·lse (distant.inl).
    LUCE_APART void weigh_distant();
    LUCE_APART void put_distant(const Tile<T>& t, std::int64_t j, int row_of, V e, V& g, V* h, V x) const;

    // A target of a few listed classes: their logits, read before a pass writes over them, their shares, and their
    // entries of the gradient (listed_target.inl).
    struct Listed {
        std::int64_t place[W];
        V u;
        Row value;
    };
    LUCE_INLINE Listed listed(std::int64_t slot) const;
    LUCE_INLINE double listed_value(std::int64_t at) const;
    LUCE_INLINE void find_places(std::int64_t slot, std::int64_t (&place)[W]) const;
    LUCE_INLINE void read_listed();
    LUCE_INLINE T& gradient_at(int l, std::int64_t place) const;
    LUCE_INLINE void patch_listed();

    // What a tile holds beside the logits: the logits transformed, and the target where it is written out
    // (spread_target.inl).
    LUCE_INLINE void prepare_held();
    LUCE_INLINE void prepare(Tile<T>& t, std::int64_t place, int l);
    LUCE_INLINE void write_row_target(Tile<T>& t, T* target, int l);
    LUCE_INLINE void write_columns_target();
    LUCE_INLINE void write_listed_target(T* target, int l, std::int64_t at, std::int64_t n, std::int64_t stride);

    // The way from memory to the buffer and back, a transposition where rows are short (memory.inl).
    LUCE_INLINE void hold();
    LUCE_INLINE void fetch(const T* from, std::int64_t first) const;
    LUCE_INLINE void gather(const T* from, T* to) const;
    LUCE_INLINE void scatter(const T* from, T* to) const;
    LUCE_INLINE void deliver(const T* from, T* to) const;
    LUCE_INLINE void write(double* to, Row value) const;
    LUCE_INLINE void skip_dropped();
    LUCE_INLINE std::int64_t first_of(int l) const {
        return Columns && job.place ? job.place[row + l] : (row + l) * job.classes;
    }
    LUCE_INLINE bool live(int l) const { return all_alive || alive[l]; }

    // What a pass found in a row, put down, and, when it has been through all of them, each row's into its lane
    // (reduction.inl).
    LUCE_INLINE void put(int which, int l, Row& to, Row v);
    LUCE_INLINE void collect(int which, Row& to) const;
    LUCE_INLINE void put_maximum(int l, V v);
    LUCE_INLINE void collect_maximum();
    LUCE_INLINE void put_position(int l, Int<T> v);
    LUCE_INLINE void collect_position();

    // A row's own value in every lane, where a pass goes through one row.
    LUCE_INLINE static V of(const V& v, int l) { return Columns ? v : splat(v[l]); }
    LUCE_INLINE static Int<T> of(const Int<T>& v, int l) { return Columns ? v : splat_int<T>(v[l]); }
    LUCE_INLINE static Unsigned<T> of(const Unsigned<T>& v, int l) { return Columns ? v : v[l] - Unsigned<T>{}; }
    LUCE_INLINE static Exp<T> of(const Exp<T>& e, int l) { return {of(e.origin, l), of(e.scale, l), of(e.floor, l)}; }
    LUCE_INLINE static Factors of(const Factors& f, int l) {
        return {of(f.coefficient, l), of(f.target_scale, l), of(f.top, l), of(f.impossible, l), f.iota,
                of(f.unique_top, l)};
    }

    // The batch, and where in it the block lies.
    const Job<T>& job;
    const Transform<T>& transform;
    const Scales<T>& scales;
    Scratch& buffer;
    const std::int64_t row;
    const int rows;
    std::int64_t whole;        // elements that fill their vectors
    bool all_alive, alive[W];  // the second only where a row may be ignored or scaled

    // The rows as they are walked over.
    Row row_scale, scale;
    Int<T> iota;
    Tile<T> columns, ends[Columns ? 1 : W];  // what stays in the buffer throughout

    // What was found in each row, a lane each.
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

template <class T, bool Columns, Mode mode>
Block<T, Columns, mode>::Block(const Job<T>& job_, const Transform<T>& transform_, const Scales<T>& scales_,
                               Scratch& scratch, std::int64_t row_, std::int64_t end)
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
    hold();
}

}  // namespace luce::LUCE_LEVEL
