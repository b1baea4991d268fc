// The emulator's machine: the threads of one block in turns, barriers, and meetings of a warp.
#pragma once
#include "tests/support/simt_buffer.hpp"
#include "tests/support/simt_fiber.hpp"
#include <bit>
#include <csignal>
#include <exception>
#include <functional>
#include <memory>
#include <numeric>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct dim3 {
    unsigned x = 1, y = 1, z = 1;
};
inline dim3 threadIdx, blockIdx, blockDim, gridDim;
inline constexpr int warpSize = 32;

namespace g4k::simt {

/// Where a kernel calls what it waits at. std::source_location is not there with Clang 14.
struct place {
    const char* file = "";
    int line = 0;
    static constexpr place current(const char* file = __builtin_FILE(),
                                   int line = __builtin_LINE()) {
        return {file, line};
    }
};
inline std::string in_words(const place& p) {
    const std::string_view file{p.file};
    return std::string{file.substr(file.rfind('/') + 1)} + ":" + std::to_string(p.line);
}

/// Lanes of a warp that wait for each other at one collective.
struct meeting {
    std::string_view what;
    place where;
    unsigned mask = 0, arrived = 0;
    void* lanes[32]{};  // what each brought, on its own stack
};

struct barrier {
    int expected = 0, arrived = 0, yes = 0, last_yes = 0;
};

/// Runs one block at a time. Threads change only where one waits, in an order that is shuffled but
/// the same in every run: what relies on an order that nothing promises fails soon.
class machine {
  public:
    static machine& the() {
        static machine only;
        return only;
    }

    void run_block(int threads, std::size_t shared_bytes, const std::function<void()>& kernel) {
        kernel_ = &kernel;
        error_ = nullptr;
        while (std::ssize(fibers_) < threads) fibers_.push_back(std::make_unique<fiber>());
        if (!shared_ || shared_->bytes() != shared_bytes) shared_.emplace(shared_bytes, 128);
        shared_->poison();
        threads_.assign(static_cast<std::size_t>(threads), {});
        meetings_.assign(static_cast<std::size_t>(threads + 31) / 32, {});
        for (barrier& b : barriers_) b = {};
        for (int i = 0; i < threads; ++i) fibers_[index(i)]->restart(&machine::entry);
        std::vector<int> order(index(threads));
        std::iota(order.begin(), order.end(), 0);
        std::shuffle(order.begin(), order.end(), std::minstd_rand{blockIdx.x + 1});
        while (turn(order)) {}
        current_ = -1;
        if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
    }

    char* shared_memory() const { return reinterpret_cast<char*>(shared_->begin()); }
    int lane() const { return current_ % 32; }
    unsigned lanes_of_warp() const {
        const int count = std::min<int>(32, static_cast<int>(threads_.size()) - current_ / 32 * 32);
        return count == 32 ? ~0u : (1u << count) - 1;
    }

    /// Waits for `expected` threads; how many of them said yes.
    int wait(int id, int expected, bool yes, std::string_view what, const place& where) {
        barrier& b = arrive(id, expected, yes);
        if (b.arrived < expected) {
            stop(what, where, id);
        } else {
            b.last_yes = std::exchange(b.yes, 0);
            b.arrived = 0;
            for (thread& t : threads_)
                if (t.waits_at == id) t.waits_at = nothing;
        }
        return b.last_yes;
    }
    barrier& arrive(int id, int expected, bool yes) {
        if (id < 0 || id >= 16) raise("expected a barrier below 16, got " + std::to_string(id));
        barrier& b = barriers_[id];
        if (b.arrived > 0 && b.expected != expected)
            raise("barrier " + std::to_string(id) + ": expected " + std::to_string(b.expected) +
                  " threads, got " + std::to_string(expected));
        b.expected = expected;
        ++b.arrived;
        b.yes += yes ? 1 : 0;
        return b;
    }
    int threads() const { return static_cast<int>(threads_.size()); }

    /// The lanes of `mask` meet; the last to come lets `finish` treat what all have brought.
    void meet(unsigned mask, std::string_view what, const place& where, void* mine,
              void (*finish)(unsigned mask, void* const* lanes)) {
        mask &= lanes_of_warp();
        const unsigned self = 1u << lane();
        if ((mask & self) == 0) raise(std::string{what} + ": expected the lane in its own mask");
        meeting& m = meeting_of(mask, what, where);
        m.arrived |= self;
        m.lanes[lane()] = mine;
        if (m.arrived != mask) return stop(what, where, warp_meeting);
        const meeting whole = m;
        m.mask = 0;
        for (int i = 0; i < 32; ++i)
            if (mask >> i & 1u) threads_[index(current_ / 32 * 32 + i)].waits_at = nothing;
        finish(mask, whole.lanes);
    }

    [[noreturn]] void raise(const std::string& words) const {
        throw fault{"simt: block " + std::to_string(blockIdx.x) + ", thread " +
                    std::to_string(current_) + ": " + words};
    }

    /// From a signal's handler: ends the launch. Does not come back when a thread was running.
    void fail_from_signal(const void* address) {
        if (current_ < 0) return;
        missed_ = address;
        has_missed_ = true;
        go(fibers_[index(current_)]->self, scheduler_);
    }

  private:
    static constexpr int nothing = -1, warp_meeting = -2, ended = -3;
    struct thread {
        int waits_at = nothing;  // or a barrier
        std::string_view what{};
        place where{};
    };
    static std::size_t index(int i) { return static_cast<std::size_t>(i); }

    static void entry() {
        entered();
        machine& m = the();
        try {
            (*m.kernel_)();
        } catch (...) {
            if (!m.error_) m.error_ = std::current_exception();
        }
        m.threads_[index(m.current_)].waits_at = ended;
        go(m.fibers_[index(m.current_)]->self, m.scheduler_);
        std::terminate();
    }
    void stop(std::string_view what, const place& where, int at) {
        threads_[index(current_)] = {at, what, where};
        go(fibers_[index(current_)]->self, scheduler_);
    }
    /// Every thread that can, runs until it waits or ends; whether any is left.
    bool turn(const std::vector<int>& order) {
        bool ran = false;
        for (const int i : order) {
            if (threads_[index(i)].waits_at != nothing) continue;
            ran = true;
            current_ = i;
            const auto t = static_cast<unsigned>(i);
            threadIdx = {t % blockDim.x, t / blockDim.x % blockDim.y,
                         t / (blockDim.x * blockDim.y)};
            go(scheduler_, fibers_[index(i)]->self);
            if (has_missed_) report_missed();
            if (error_) return false;
        }
        if (ran) return true;
        report_stuck();
        return false;
    }
    /// The fiber stays in the signal's handler for ever: another takes its place.
    void report_missed() {
        has_missed_ = false;
        fibers_[index(current_)] = std::make_unique<fiber>();
        try {
            raise("expected to touch its buffers only, got " + region::words_for(missed_));
        } catch (...) {
            error_ = std::current_exception();
        }
    }
    void report_stuck() {
        const thread* waiting = nullptr;
        const thread* other = nullptr;
        for (const thread& t : threads_)
            if (t.waits_at != ended && waiting == nullptr) waiting = &t;
        if (waiting == nullptr) return;
        for (const thread& t : threads_)
            if (t.waits_at != waiting->waits_at || t.what != waiting->what) other = &t;
        const auto number = [&](const thread* t) { return std::to_string(t - threads_.data()); };
        std::string words = "simt: block " + std::to_string(blockIdx.x) + ": thread " +
                            number(waiting) + " waits for others at " + std::string{waiting->what} +
                            " (" + in_words(waiting->where) + ")";
        if (other != nullptr && other->waits_at == ended)
            words += ", but thread " + number(other) + " has ended";
        else if (other != nullptr)
            words += ", but thread " + number(other) + " waits at " + std::string{other->what} +
                     " (" + in_words(other->where) + ")";
        error_ = std::make_exception_ptr(fault{words});
    }
    meeting& meeting_of(unsigned mask, std::string_view what, const place& where) {
        meeting* free = nullptr;
        std::vector<meeting>& here = meetings_[index(current_ / 32)];
        for (meeting& m : here) {
            if (m.mask == 0) free = &m;
            if ((m.mask & mask) == 0) continue;
            if (m.mask == mask && m.what == what && m.where.line == where.line) return m;
            raise("expected all lanes of a mask at one collective, got " + std::string{what} +
                  " (" + in_words(where) + ") beside " + std::string{m.what} + " (" +
                  in_words(m.where) + ")");
        }
        if (free == nullptr) free = &here.emplace_back();
        *free = {what, where, mask, 0, {}};
        return *free;
    }

    const std::function<void()>* kernel_ = nullptr;
    std::vector<std::unique_ptr<fiber>> fibers_;
    std::vector<thread> threads_;
    std::vector<std::vector<meeting>> meetings_;  // of each warp
    barrier barriers_[16];
    std::optional<region> shared_;
    context scheduler_ = scheduler_context();
    int current_ = -1;
    std::exception_ptr error_;
    const void* missed_ = nullptr;
    bool has_missed_ = false;

    static context scheduler_context();
};

/// The stack that the tests run on; only AddressSanitizer wants to know where it lies.
inline context machine::scheduler_context() {
    context out;
#if defined(__SANITIZE_ADDRESS__)
    pthread_attr_t attributes;
    void* bottom = nullptr;
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstack(&attributes, &bottom, &out.bytes);
    pthread_attr_destroy(&attributes);
    out.bottom = bottom;
#endif
    return out;
}

/// While it lives, a read or write that faults ends the launch in words, not the program; with
/// ThreadSanitizer the program all the same, which does not let a fiber leave a signal's handler.
#if defined(__SANITIZE_THREAD__)
inline constexpr bool faults_in_words = false;
#else
inline constexpr bool faults_in_words = true;
#endif
class fault_guard {
  public:
    fault_guard() {
        if (!faults_in_words) return;
        struct sigaction mine{};
        mine.sa_sigaction = [](int signal, siginfo_t* info, void*) {
            machine::the().fail_from_signal(info->si_addr);
            std::signal(signal, SIG_DFL);  // not ours: happens again and ends the program
        };
        mine.sa_flags = SA_SIGINFO | SA_NODEFER;
        sigaction(SIGSEGV, &mine, &before_[0]);
        sigaction(SIGBUS, &mine, &before_[1]);
    }
    fault_guard(const fault_guard&) = delete;
    fault_guard& operator=(const fault_guard&) = delete;
    ~fault_guard() {
        if (!faults_in_words) return;
        sigaction(SIGSEGV, &before_[0], nullptr);
        sigaction(SIGBUS, &before_[1], nullptr);
    }

  private:
    struct sigaction before_[2]{};
};

inline char* shared_memory() { return machine::the().shared_memory(); }

}  // namespace g4k::simt
