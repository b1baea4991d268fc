// Threads for what is too long for the loop: parsing, rendering and encoding of requests.
#pragma once
#include "g4/core/log.hpp"
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace g4::serve {

/// Runs calls in two lanes, so that a small request never waits behind megabytes of another: the
/// first thread takes from both, the small lane first; every other one takes small calls alone.
class worker_pool {
  public:
    enum class lane { small, large };

    explicit worker_pool(int threads, logger log = {}) : log_{std::move(log)} {
        for (int i = 0; i < threads; ++i)
            threads_.emplace_back([this, both = i == 0] { run(both); });
    }
    /// Calls that have not begun are dropped.
    ~worker_pool() {
        {
            const std::lock_guard lock{mutex_};
            stopping_ = true;
        }
        wake_.notify_all();
        for (std::thread& thread : threads_) thread.join();
    }
    worker_pool(const worker_pool&) = delete;
    worker_pool& operator=(const worker_pool&) = delete;

    void submit(lane to, std::function<void()> call) {
        {
            const std::lock_guard lock{mutex_};
            (to == lane::small ? small_ : large_).push_back(std::move(call));
        }
        wake_.notify_all();
    }

  private:
    void run(bool both) {
        std::unique_lock lock{mutex_};
        for (;;) {
            wake_.wait(lock,
                       [&] { return stopping_ || !small_.empty() || (both && !large_.empty()); });
            if (stopping_) return;
            auto& from = small_.empty() ? large_ : small_;
            std::function<void()> call = std::move(from.front());
            from.pop_front();
            lock.unlock();
            try {
                call();
            } catch (const std::exception& failed) {
                log_.error("serve: a worker's call threw: ", failed.what());
            }
            call = nullptr;  // what it holds may be large
            lock.lock();
        }
    }

    logger log_;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<std::function<void()>> small_, large_;
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

}  // namespace g4::serve
