// Chunks of work over threads: stateless, so safe after fork and from many threads at once.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace luce {

// The number of threads that a call uses when it names none: set_num_threads, LUCE_NUM_THREADS, OMP_NUM_THREADS, the
// CPUs that this process may use.
int num_threads();
void set_num_threads(int n);  // 0: back to the environment's

// How many threads to use at most, and whose: new ones, or the team of an OpenMP runtime by its GOMP_parallel. Where a
// team exists it spins for some milliseconds after each of its tasks, and other threads would wait for its processors.
struct Threads {
    using Task = void (*)(void*);
    int count;
    void (*team)(Task, void*, unsigned n_threads, unsigned flags) = nullptr;
};

// f(begin, end) over [0, size) in pieces of `chunk`, by the caller and up to threads.count - 1 others, each with a copy
// of f, which may hold what a thread works in. The pieces follow from the arguments alone. `cost` is the whole work in
// nanoseconds, roughly: starting a thread costs some 30 µs (measured), so each must have several times that to do.
template <class F>
void parallel_for(std::int64_t size, std::int64_t chunk, Threads threads, double cost, const F& f) {
    const std::int64_t chunks = (size + chunk - 1) / chunk;
    const double worth = cost / (threads.team ? 2e4 : 1e5);
    const int count = int(std::min<double>({double(threads.count), double(chunks), std::max(worth, 1.0)}));
    std::atomic<std::int64_t> next{0};
    std::exception_ptr failure;  // the first, thrown again when all have joined: out of memory, at worst
    std::mutex failing;
    auto work = [&] {
        try {
            F own = f;
            for (std::int64_t c; (c = next.fetch_add(1, std::memory_order_relaxed)) < chunks;)
                own(c * chunk, std::min(size, (c + 1) * chunk));
        } catch (...) {
            const std::lock_guard<std::mutex> hold(failing);
            if (!failure) failure = std::current_exception();
            next.store(chunks, std::memory_order_relaxed);
        }
    };
    if (threads.team && count > 1) {
        threads.team([](void* task) { (*static_cast<decltype(work)*>(task))(); }, &work, unsigned(count), 0);
    } else {
        std::vector<std::thread> helpers;
        for (int i = 1; i < count; ++i) {
            try {
                helpers.emplace_back(work);
            } catch (const std::system_error&) {
                break;  // the system gives no more threads: the ones there are do it all
            }
        }
        work();
        for (std::thread& t : helpers) t.join();
    }
    if (failure) std::rethrow_exception(failure);
}

}  // namespace luce
