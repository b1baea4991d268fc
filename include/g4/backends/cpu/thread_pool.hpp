// Persistent threads that share out ranges of work: a bounded spin, then sleep.
#pragma once
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <thread>
#include <vector>
#if defined(__linux__)
#include <sched.h>
#endif

namespace g4::cpu {

namespace detail {

inline void relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

/// Processors that the control group grants, rounded up; 0: no limit known.
inline int quota_of_control_group() {
    double quota = 0, period = 0;
    if (std::FILE* file = std::fopen("/sys/fs/cgroup/cpu.max", "r")) {
        if (std::fscanf(file, "%lf %lf", &quota, &period) != 2) quota = period = 0;
        std::fclose(file);
    }
    return quota > 0 && period > 0 ? static_cast<int>((quota + period - 1) / period) : 0;
}

}  // namespace detail

/// Threads that this process may keep busy: its affinity mask, cut to its control group's quota.
inline int usable_processors() {
    int count = static_cast<int>(std::thread::hardware_concurrency());
#if defined(__linux__)
    cpu_set_t mask;
    if (sched_getaffinity(0, sizeof mask, &mask) == 0) count = CPU_COUNT(&mask);
#endif
    if (const int quota = detail::quota_of_control_group(); quota > 0)
        count = std::min(count, quota);
    return std::max(count, 1);
}

/// Units of a range that are worth a piece: handing one over takes about a microsecond, in which a
/// core does some 2^16 multiply-adds.
constexpr std::int64_t grain_of(std::int64_t operations_of_unit) {
    return std::max<std::int64_t>(
        (std::int64_t{1} << 17) / std::max<std::int64_t>(operations_of_unit, 1), 1);
}

/// The caller works too, so a pool of n threads starts n - 1. One caller at a time.
///   A thread that comes late finds the job closed and stays out. So a job never waits for a
///   thread that another program keeps off its core, unless that thread already holds a piece.
class thread_pool {
  public:
    explicit thread_pool(int threads,
                         std::chrono::microseconds spin = std::chrono::microseconds{100})
        : spin_{spin} {
        for (int i = 1; i < std::max(threads, 1); ++i)
            workers_.emplace_back([this, i] { work(i); });
    }
    thread_pool(const thread_pool&) = delete;
    thread_pool& operator=(const thread_pool&) = delete;
    ~thread_pool() {
        stop_ = true;
        epoch_.fetch_add(2);
        epoch_.notify_all();
        for (std::thread& worker : workers_) worker.join();
    }

    int threads() const { return static_cast<int>(workers_.size()) + 1; }

    /// Calls body(begin, end, thread) until [0, count) is done; returns then. Pieces get smaller
    /// towards the end, so that threads end together though some may be kept off their cores.
    ///   grain   pieces are multiples of it, and begin at multiples of it
    ///   body    must not throw; what it computes must not depend on how the range is cut
    template <class Body>
    void for_ranges(std::int64_t count, std::int64_t grain, const Body& body) {
        if (count <= 0) return;
        const std::int64_t units = (count + grain - 1) / grain;
        if (workers_.empty() || units == 1) {
            body(std::int64_t{0}, count, 0);
            return;
        }
        job_.count = count;
        job_.grain = grain;
        job_.context = &body;
        job_.call = [](const void* context, std::int64_t begin, std::int64_t end, int thread) {
            (*static_cast<const Body*>(context))(begin, end, thread);
        };
        job_.next.store(0, std::memory_order_relaxed);
        epoch_.fetch_add(1);  // odd: open
        epoch_.notify_all();
        take_pieces(0);
        epoch_.fetch_add(1);  // closed: who enters now leaves at once
        wait_for_workers();
    }

  private:
    struct job {
        std::int64_t count = 0, grain = 1;
        const void* context = nullptr;
        void (*call)(const void*, std::int64_t, std::int64_t, int) = nullptr;
        alignas(64) std::atomic<std::int64_t> next{0};
    };

    void take_pieces(int thread) {
        std::int64_t begin = job_.next.load(std::memory_order_relaxed);
        for (;;) {
            if (begin >= job_.count) return;
            const std::int64_t units = (job_.count - begin) / job_.grain / (2 * threads());
            const std::int64_t end =
                std::min(begin + std::max<std::int64_t>(units, 1) * job_.grain, job_.count);
            if (!job_.next.compare_exchange_weak(begin, end, std::memory_order_relaxed)) continue;
            job_.call(job_.context, begin, end, thread);
            begin = job_.next.load(std::memory_order_relaxed);
        }
    }

    void wait_for_workers() {
        const auto give_up = std::chrono::steady_clock::now() + spin_;
        for (int i = 1;; ++i) {
            const std::int32_t left = inside_.load(std::memory_order_acquire);
            if (left == 0) return;
            detail::relax();
            if (i % 64 == 0 && std::chrono::steady_clock::now() > give_up) inside_.wait(left);
        }
    }

    /// The first epoch other than `seen`: spins for a while, then sleeps.
    std::uint32_t next_epoch(std::uint32_t seen) {
        const auto give_up = std::chrono::steady_clock::now() + spin_;
        for (int i = 1;; ++i) {
            const std::uint32_t now = epoch_.load(std::memory_order_acquire);
            if (now != seen) return now;
            detail::relax();
            if (i % 64 == 0 && std::chrono::steady_clock::now() > give_up) epoch_.wait(seen);
        }
    }

    void work(int thread) {
        std::uint32_t seen = 0;
        while (!stop_) {
            seen = next_epoch(seen);
            if (seen % 2 == 0) continue;
            // Sequentially consistent on both sides: either the caller sees us inside, or we see
            // the epoch closed. The job's fields are ours to read only after that check.
            inside_.fetch_add(1);
            if (epoch_.load() == seen) take_pieces(thread);
            if (inside_.fetch_sub(1) == 1) inside_.notify_all();
        }
    }

    std::chrono::microseconds spin_;
    job job_;
    alignas(64) std::atomic<std::uint32_t> epoch_{0};
    alignas(64) std::atomic<std::int32_t> inside_{0};
    std::atomic<bool> stop_{false};
    std::vector<std::thread> workers_;
};

}  // namespace g4::cpu
