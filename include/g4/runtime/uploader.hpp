// Brings mapped files to the device: threads copy into pinned memory while the piece before is
// sent.
#pragma once
#include "g4/runtime/buffer.hpp"
#include "g4/runtime/event.hpp"
#include "g4/runtime/stream.hpp"
#include <algorithm>
#include <cstring>
#include <thread>
#include <vector>

namespace g4 {

class uploader {
  public:
    static constexpr std::size_t piece_bytes = std::size_t{32} << 20;

    uploader(const device& on, const stream& order, unsigned threads) : order_{order} {
        threads_ = std::clamp(threads, 1u, 16u);
        for (int i = 0; i < 3; ++i)
            pieces_.push_back({pinned_buffer{on, piece_bytes}, event{on}, false});
    }

    /// In the order of the stream. `from` may be forgotten when this returns.
    void upload(void* to, const void* from, std::size_t bytes) {
        for (std::size_t done = 0; done < bytes; done += piece_bytes) {
            const std::size_t size = std::min(piece_bytes, bytes - done);
            piece& p = pieces_[next_++ % pieces_.size()];
            if (p.used) p.sent.synchronize();
            copy(p.memory.data(), static_cast<const std::byte*>(from) + done, size);
            order_.copy_to_device(static_cast<std::byte*>(to) + done, p.memory.data(), size);
            order_.record(p.sent);
            p.used = true;
        }
    }

  private:
    struct piece {
        pinned_buffer memory;
        event sent;
        bool used;
    };

    /// One thread reads a mapped file at 3 to 5 GB/s: page faults.
    void copy(std::byte* to, const std::byte* from, std::size_t size) const {
        const std::size_t least = std::size_t{1} << 20;
        const std::size_t parts = std::clamp<std::size_t>(size / least, 1, threads_);
        const std::size_t step = (size + parts - 1) / parts;
        std::vector<std::jthread> threads;
        for (std::size_t i = 1; i < parts; ++i)
            threads.emplace_back([=] {
                const std::size_t begin = i * step;
                if (begin < size)
                    std::memcpy(to + begin, from + begin, std::min(step, size - begin));
            });
        std::memcpy(to, from, std::min(step, size));
    }

    const stream& order_;
    unsigned threads_ = 1;
    std::vector<piece> pieces_;
    std::size_t next_ = 0;
};

}  // namespace g4
