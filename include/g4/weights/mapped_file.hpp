// A file as read-only memory: weights are used where they lie, shared between processes.
#pragma once
#include "g4/core/error.hpp"
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <span>
#include <string>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace g4 {

/// Maps a regular file whole, shared and read-only. Moves; unmaps at the end of its life.
/// The file must not shrink while it is mapped: the system answers with SIGBUS.
class mapped_file {
  public:
    /// Errors: input_error when it is missing, not a regular file, empty, or cannot be mapped.
    explicit mapped_file(const std::filesystem::path& file) : path_{file.string()} {
        const int handle = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
        if (handle < 0) throw input_error{path_, ": cannot be opened: ", std::strerror(errno)};
        struct ::stat status{};
        const int told = ::fstat(handle, &status);
        const int reason = errno;
        if (told == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
            size_ = static_cast<std::size_t>(status.st_size);
            memory_ = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, handle, 0);
        }
        const int map_reason = errno;
        ::close(handle);
        if (told != 0) throw input_error{path_, ": cannot be read: ", std::strerror(reason)};
        if (!S_ISREG(status.st_mode))
            throw input_error{path_, ": expected a regular file, got none"};
        if (size_ == 0) throw input_error{path_, ": expected a file with content, got 0 bytes"};
        if (memory_ == MAP_FAILED)
            throw input_error{path_, ": cannot be mapped: ", std::strerror(map_reason)};
    }
    mapped_file(mapped_file&& other) noexcept
        : path_{std::move(other.path_)},
          memory_{std::exchange(other.memory_, MAP_FAILED)},
          size_{std::exchange(other.size_, 0)} {}
    mapped_file& operator=(mapped_file&& other) noexcept {
        std::swap(path_, other.path_);
        std::swap(memory_, other.memory_);
        std::swap(size_, other.size_);
        return *this;
    }
    ~mapped_file() {
        if (memory_ != MAP_FAILED) ::munmap(memory_, size_);
    }

    std::span<const std::byte> bytes() const {
        return {static_cast<const std::byte*>(memory_), size_};
    }
    const std::string& path() const { return path_; }

  private:
    std::string path_;
    void* memory_ = MAP_FAILED;
    std::size_t size_ = 0;
};

/// Mapped bytes that will not be read again soon count no longer as memory of this process; what
/// is read all the same comes from the file anew.
inline void release_pages(std::span<const std::byte> mapped) {
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    const auto begin = reinterpret_cast<std::uintptr_t>(mapped.data()) & ~(page - 1);
    const auto end = reinterpret_cast<std::uintptr_t>(mapped.data() + mapped.size());
    // a part page at the end goes too: the pages are the file's, so nothing can be lost
    ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

}  // namespace g4
