// What a batch asks of the row kernels: one effective form of logits, target, scale and results (notation of the
// contract: u = softcap(z)/temperature, t the effective target, l = alpha·lse - <t, u> + zeta·lse²).
#pragma once

#include <cstdint>

namespace luce {

// Everything is row-major and contiguous; a null pointer is an absent part. What a batch is but for its rows of logits
// and of whatever has their shape and type:
template <class T>
struct Form {
    std::int64_t rows = 0, classes = 0;
    double softcap = 0;  // 0: none
    double temperature = 1;

    // t = weight ⊙ (given_share·given + background + tail on the classes that are not listed)
    std::int64_t n_listed = 0;              // listed classes per row
    const std::int64_t* indices = nullptr;  // (rows, n_listed)
    const T* value = nullptr;               // (rows, n_listed), 1 if null
    const T* dense = nullptr;               // (rows, classes), instead of the listed
    const T* weight = nullptr;              // (classes,)
    const double* tail = nullptr;           // (rows,)
    double given_share = 1, background = 0;
    double mass = 0;  // added to alpha: 1 makes the Hessian the softmax's own Jacobian
    bool has_ignored = false;
    std::int64_t ignored = 0;  // a row whose first listed class is this counts for nothing

    const double* row_scale = nullptr;  // (rows,) r; a row of 0 counts for nothing
    double factor = 1;                  // derivatives are scaled by r·factor, losses by r alone
    double z_loss = 0;

    double* loss = nullptr;  // (rows,)

    // Where each row begins in what has the logits' shape, and where that ends, if rows do not follow each other: only
    // for rows that are short enough to be walked over in columns, and not with results over what is read.
    const std::int64_t* place = nullptr;  // (rows,)
    std::int64_t entries = 0;

    // of the logits alone, also where a row is ignored, each (rows,)
    double* lse = nullptr;            // log Σ exp u
    double* entropy = nullptr;        // -Σ p log p
    std::int64_t* largest = nullptr;  // the first NaN, or else the first of the largest logits

    bool transformed() const { return softcap != 0 || temperature != 1; }
    bool spread() const { return dense || background != 0 || tail; }  // t is not just a few listed classes
    bool statistics() const { return lse || entropy || largest; }
    bool statistics_in_passing(std::int64_t begin, std::int64_t end) const {
        bool all_alive = !transformed() && !spread();
        for (std::int64_t row = begin; drops() && row < end; ++row) all_alive &= !dropped(row);
        return all_alive;
    }

    // Rows that count for nothing, whatever they hold: of weight 0, ignored, or of a class of weight 0 that no other
    // term of their loss makes up for.
    bool drops() const { return has_ignored || row_scale || drops_classes(); }
    bool drops_classes() const {
        return weight && n_listed == 1 && !value && background == 0 && z_loss == 0 && mass == 0;
    }
    bool dropped(std::int64_t row) const {
        if (row_scale && row_scale[row] == 0) return true;
        if (has_ignored && indices[row * n_listed] == ignored) return true;
        return drops_classes() && weight[indices[row]] == 0;
    }

    Form rows_from(std::int64_t begin, std::int64_t end) const {
        Form part = *this;
        part.rows = end - begin;
        const auto skip = [begin](auto*& p, std::int64_t row) { p = p ? p + begin * row : p; };
        skip(part.indices, n_listed), skip(part.value, n_listed), skip(part.dense, classes);
        skip(part.place, 1);
        for (const double** p : {&part.tail, &part.row_scale}) skip(*p, 1);
        for (double** p : {&part.loss, &part.lse, &part.entropy}) skip(*p, 1);
        skip(part.largest, 1);
        return part;
    }
    // all that the statistics ask for
    Form logits_alone() const {
        Form part;
        part.rows = rows, part.classes = classes, part.softcap = softcap, part.temperature = temperature;
        part.lse = lse, part.entropy = entropy, part.largest = largest;
        return part;
    }
};

// `Stored` is the type of the rows in memory.
template <class T, class Stored = T>
struct Job : Form<T> {
    const Stored* logits = nullptr;  // (rows, classes)
    const Stored* vector = nullptr;  // (rows, classes), what the Hessian is applied to
    Stored* grad = nullptr;          // (rows, classes), may be the logits
    Stored* product = nullptr;       // (rows, classes), may be the vector or, without grad, the logits
};

// Sets: rows of their own lengths, one after another, set s being the entries [offsets[s], offsets[s + 1]). Of a target
// there are at most one listed entry a set, by its place in the set, or a share of every entry. `classes` says nothing;
// `background` is what a set's entries share.
template <class T>
struct SetsJob : Job<T> {
    const std::int64_t* offsets = nullptr;  // (rows + 1,), the first is 0
};

// The same on rows of 16 bits, which are computed in float.
enum class Half { bfloat16, float16 };
struct HalfJob : Job<float, std::uint16_t> {
    Half half = Half::bfloat16;
};

struct HalfKernels {
    void (*widen)(const std::uint16_t* from, float* to, std::int64_t size);
    void (*round)(const float* from, std::uint16_t* to, std::int64_t size);  // to the nearest, ties to even
};

// Elementwise sigmoid cross-entropy, positive·t·softplus(-z) + (1-t)·softplus(z), in blocks of kBlock elements.
template <class T>
struct SigmoidJob {
    static constexpr std::int64_t kBlock = 2048;
    std::int64_t size = 0;
    const T* logits = nullptr;
    const T* target = nullptr;
    const T* positive = nullptr;            // weight of the positive term, 1 if null
    const double* weight = nullptr;         // weight of the element, 1 if null; one of 0 counts for nothing
    double given_share = 1, smoothing = 0;  // t ← given_share·t + smoothing/2
    double factor = 1;                      // of the gradient
    double* block_loss = nullptr;           // sum over each block
    T* loss = nullptr;                      // per element
    T* grad = nullptr;
};

// z = W x + b for rows x of a dense matrix, and A = Σ g xᵀ; `width` is the classes filled up to whole vectors.
template <class T>
struct NarrowJob {
    std::int64_t rows = 0, features = 0, classes = 0, width = 0;
    const T* X = nullptr;        // (rows, features)
    const T* columns = nullptr;  // (features, width), Wᵀ with zeros behind
    const T* start = nullptr;    // (width,), b likewise
    T* rows_of = nullptr;        // (rows, classes), z to write or g to read
};

template <class T>
struct NarrowKernels {
    void (*scores)(const NarrowJob<T>&, std::int64_t begin, std::int64_t end);
    void (*pull_back)(const NarrowJob<T>&, double* total, std::int64_t begin, std::int64_t end);
    std::int64_t lanes;
};

// out += A·dense for rows A of a sparse matrix (CSR; a CSC matrix is that of its transpose). `start` may begin inside
// the matrix: a block of rows is a pointer into it. Indices are in range, in any order, and may repeat.
template <class T, class I, class Out>
struct SparseJob {
    std::int64_t rows = 0, columns = 0, classes = 0;
    const std::int64_t* start = nullptr;  // (rows + 1,) where rows begin in index and value
    const I* index = nullptr;
    const T* value = nullptr;
    const T* dense = nullptr;  // (columns, classes)
    Out* out = nullptr;        // (rows, classes)
};

template <class T, class I, class Out>
struct SparseKernels {
    void (*gather)(const SparseJob<T, I, Out>&, std::int64_t begin, std::int64_t end);
};

// One entry for each type of value, size of index and type of sum.
struct SparseTable : SparseKernels<float, std::int32_t, float>,
                     SparseKernels<float, std::int64_t, float>,
                     SparseKernels<float, std::int32_t, double>,
                     SparseKernels<float, std::int64_t, double>,
                     SparseKernels<double, std::int32_t, double>,
                     SparseKernels<double, std::int64_t, double> {};

enum class Operation { cross_entropy, hessian, softmax, log_softmax, statistics };

// The kernels of one level for one type; each works on rows (for the sigmoid: blocks) [begin, end).
template <class T>
struct Kernels {
    using OnRows = void (*)(const Job<T>&, std::int64_t begin, std::int64_t end);
    void (*cross_entropy)(const Job<T>&, std::int64_t begin, std::int64_t end);  // loss and, if asked for, grad
    void (*hessian)(const Job<T>&, std::int64_t begin, std::int64_t end);        // product and, if asked for, grad
    void (*softmax)(const Job<T>&, std::int64_t begin, std::int64_t end);        // grad = p
    void (*log_softmax)(const Job<T>&, std::int64_t begin, std::int64_t end);    // grad = log p
    void (*statistics)(const Job<T>&, std::int64_t begin, std::int64_t end);     // lse, entropy, largest
    void (*sigmoid)(const SigmoidJob<T>&, std::int64_t begin, std::int64_t end);
    OnRows of(Operation operation) const {
        return operation == Operation::cross_entropy ? cross_entropy
               : operation == Operation::hessian     ? hessian
               : operation == Operation::softmax     ? softmax
               : operation == Operation::log_softmax ? log_softmax
                                                     : statistics;
    }
};

}  // namespace luce
