// What a batch asks of the row kernels: one effective form of logits, target, scale and results (notation of the
// contract: u = softcap(z)/temperature, t the effective target, l = alpha·lse - <t, u> + zeta·lse²).
#pragma once

#include <cstdint>

namespace luce {

// Everything is row-major and contiguous; a null pointer is an absent part.
template <class T>
struct Job {
    std::int64_t rows = 0, classes = 0;
    const T* logits = nullptr;  // (rows, classes)
    double softcap = 0;         // 0: none
    double temperature = 1;

    // t = weight ⊙ (keep·given + smooth + tail on the classes that are not listed)
    std::int64_t slots = 0;               // listed classes per row
    const std::int64_t* index = nullptr;  // (rows, slots)
    const T* value = nullptr;             // (rows, slots), 1 if null
    const T* dense = nullptr;             // (rows, classes), instead of the listed
    const T* weight = nullptr;            // (classes,)
    const double* tail = nullptr;         // (rows,)
    double keep = 1, smooth = 0;
    double mass = 0;  // added to alpha: 1 makes the Hessian the softmax's own Jacobian
    bool has_ignored = false;
    std::int64_t ignored = 0;  // a row whose first listed class is this counts for nothing

    const double* row_scale = nullptr;  // (rows,) r
    double factor = 1;                  // derivatives are scaled by r·factor, losses by r alone
    double z_loss = 0;

    const T* vector = nullptr;  // (rows, classes), what the Hessian is applied to

    double* loss = nullptr;  // (rows,)
    T* grad = nullptr;       // (rows, classes), may be the logits
    T* product = nullptr;    // (rows, classes), may be the vector or, without grad, the logits

    bool transformed() const { return softcap != 0 || temperature != 1; }
    bool spread() const { return dense || smooth != 0 || tail; }  // t is not just a few listed classes
};

// Elementwise sigmoid cross-entropy, positive·t·softplus(-z) + (1-t)·softplus(z), in blocks of kBlock elements.
template <class T>
struct SigmoidJob {
    static constexpr std::int64_t kBlock = 2048;
    std::int64_t size = 0;
    const T* logits = nullptr;
    const T* target = nullptr;
    const T* positive = nullptr;   // weight of the positive term, 1 if null
    const T* weight = nullptr;     // weight of the element, 1 if null
    double keep = 1, smooth = 0;   // t ← keep·t + smooth/2
    double factor = 1;             // of the gradient
    double* block_loss = nullptr;  // sum over each block
    T* loss = nullptr;             // per element
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

// The kernels of one level for one type; each works on rows (for the sigmoid: blocks) [begin, end).
template <class T>
struct Kernels {
    void (*cross_entropy)(const Job<T>&, std::int64_t begin, std::int64_t end);  // loss and, if asked for, grad
    void (*hessian)(const Job<T>&, std::int64_t begin, std::int64_t end);        // product and, if asked for, grad
    void (*softmax)(const Job<T>&, std::int64_t begin, std::int64_t end);        // grad = p, loss = lse, either
    void (*log_softmax)(const Job<T>&, std::int64_t begin, std::int64_t end);    // grad = log p
    void (*sigmoid)(const SigmoidJob<T>&, std::int64_t begin, std::int64_t end);
};

}  // namespace luce
