#include "isa.hpp"

#include <array>
#include <atomic>
#include <cstdlib>
#include <stdexcept>

namespace luce {

// Tables known to the compiler: nothing that was compiled for a level runs before the machine is known to have it.
namespace baseline {
extern const Level level;
}
#if defined(__x86_64__)
namespace avx2 {
extern const Level level;
}
namespace avx512 {
extern const Level level;
}
#endif

namespace {

struct Registry {
    std::vector<Level> levels;
    std::array<std::atomic<std::int64_t>, 3> calls{};
    std::atomic<const Level*> active{nullptr};

    Registry() {
        std::vector<const Level*> built{&baseline::level};
#if defined(__x86_64__)
        built.insert(built.end(), {&avx2::level, &avx512::level});
#endif
        for (const Level* level : built)
            if (level->supported()) levels.push_back(*level);
    }

    const Level* find(const std::string& name) const {
        std::string known;
        for (const Level& level : levels) {
            if (name == level.name) return &level;
            known += known.empty() ? level.name : std::string(", ") + level.name;
        }
        throw std::invalid_argument("LUCE_ISA: instruction-set level '" + name +
                                    "' is not available here; available: " + known);
    }
};

Registry& registry() {
    static Registry r;
    return r;
}

}  // namespace

std::string vendor() {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_is("amd")) return "AMD";
#endif
    return "";
}

std::vector<std::string> available_levels() {
    std::vector<std::string> names;
    for (const Level& level : registry().levels) names.emplace_back(level.name);
    return names;
}

const Level& active_level() {
    Registry& r = registry();
    const Level* level = r.active.load(std::memory_order_acquire);
    if (!level) {
        const char* forced = std::getenv("LUCE_ISA");
        level = forced && *forced ? r.find(forced) : &r.levels.back();
        r.active.store(level, std::memory_order_release);
    }
    return *level;
}

void force_level(const std::string& name) { registry().active.store(registry().find(name), std::memory_order_release); }

std::vector<std::int64_t> level_calls() {
    Registry& r = registry();
    std::vector<std::int64_t> counts;
    for (std::size_t i = 0; i < r.levels.size(); ++i) counts.push_back(r.calls[i].load(std::memory_order_relaxed));
    return counts;
}

void count_call(const Level& level) {
    Registry& r = registry();
    r.calls[std::size_t(&level - r.levels.data())].fetch_add(1, std::memory_order_relaxed);
}

}  // namespace luce
