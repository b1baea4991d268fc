// How fast this machine reads memory right now: the limit that a decode step is held against.
#pragma once
#include <algorithm>
#include <atomic>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <sys/mman.h>
#include <thread>
#include <vector>

namespace g4::apps {

/// The sum of `count` words, by the widest registers that the machine has.
#if defined(__x86_64__)
__attribute__((target_clones("avx512f", "avx2", "default")))
#endif
inline std::uint64_t sum_words(const std::uint64_t* words, std::size_t count) {
    std::uint64_t sums[32]{};
    for (std::size_t i = 0; i + 32 <= count; i += 32)
        for (std::size_t k = 0; k < 32; ++k) sums[k] += words[i + k];
    std::uint64_t sum = 0;
    for (const std::uint64_t s : sums) sum += s;
    return sum;
}

/// Median of `passes` passes over `bytes` of memory in huge pages, in bytes a second. Each thread
/// reads a part of its own from end to end, as the weights of a linear are read.
inline double read_limit(unsigned threads, std::size_t bytes = std::size_t{2} << 30,
                         int passes = 7) {
    bytes = bytes / (threads * 4096) * (threads * 4096);
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return 0;
    madvise(memory, bytes, MADV_HUGEPAGE);
    const std::size_t words = bytes / sizeof(std::uint64_t) / threads;
    auto* begin = static_cast<std::uint64_t*>(memory);
    using clock = std::chrono::steady_clock;
    struct span_of_time { clock::time_point begin, end; };
    std::vector<span_of_time> spans(static_cast<std::size_t>(passes) * threads);
    std::atomic<std::uint64_t> kept{0};
    std::barrier together{static_cast<std::ptrdiff_t>(threads)};
    std::vector<std::thread> workers;
    for (unsigned t = 0; t < threads; ++t)
        workers.emplace_back([&, t] {
            std::uint64_t* part = begin + words * t;
            for (std::size_t i = 0; i < words; i += 512) part[i] = i;  // first touch by its reader
            for (int pass = 0; pass < passes; ++pass) {
                together.arrive_and_wait();
                // the readers' own clocks: nobody starts before the first and ends behind the last
                span_of_time& own = spans[static_cast<std::size_t>(pass) * threads + t];
                own.begin = clock::now();
                kept += sum_words(part, words);
                own.end = clock::now();
            }
        });
    for (std::thread& worker : workers) worker.join();
    std::vector<double> rates;
    for (std::size_t pass = 0; pass < spans.size(); pass += threads) {
        span_of_time whole = spans[pass];
        for (unsigned t = 1; t < threads; ++t) {
            whole.begin = std::min(whole.begin, spans[pass + t].begin);
            whole.end = std::max(whole.end, spans[pass + t].end);
        }
        const std::chrono::duration<double> took = whole.end - whole.begin;
        rates.push_back(static_cast<double>(bytes) / took.count());
    }
    munmap(memory, bytes);
    std::sort(rates.begin(), rates.end());
    return rates[rates.size() / 2];
}

}  // namespace g4::apps
