#include "parallel.hpp"

#include <cerrno>
#include <cstdlib>
#include <stdexcept>
#include <string>
#if defined(__linux__)
#include <sched.h>
#endif

namespace luce {
namespace {

std::atomic<int> chosen{0};

// a positive integer, at the start of a list as OMP_NUM_THREADS may hold one; 0 if absent
int from_environment(const char* name, bool strict) {
    const char* text = std::getenv(name);
    if (!text || !*text) return 0;
    char* end = nullptr;
    errno = 0;
    const long n = std::strtol(text, &end, 10);
    const bool clean = end != text && errno == 0 && n > 0 && n <= 65536 && (*end == 0 || (!strict && *end == ','));
    if (clean) return int(n);
    if (strict) throw std::invalid_argument(std::string(name) + "='" + text + "' is not a positive integer");
    return 0;  // another library's variable is not ours to complain of
}

int available_cpus() {
#if defined(__linux__)
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
#endif
    return std::max(1, int(std::thread::hardware_concurrency()));
}

int environment_threads() {
    if (int n = from_environment("LUCE_NUM_THREADS", true)) return n;
    if (int n = from_environment("OMP_NUM_THREADS", false)) return n;
    return available_cpus();
}

}  // namespace

int num_threads() {
    static const int from_start = environment_threads();
    const int n = chosen.load(std::memory_order_relaxed);
    return n > 0 ? n : from_start;
}

void set_num_threads(int n) { chosen.store(n, std::memory_order_relaxed); }

}  // namespace luce
