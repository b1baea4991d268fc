// Device memory of the emulator: poisoned, and what is touched outside of it is found.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <sys/mman.h>
#include <vector>

namespace g4k::simt {

/// What the emulator has to say against a kernel, in words.
struct fault : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Bytes between two pages that fault, tight at their end up to their alignment. What is left
/// beside them in their own pages holds a pattern that check() wants to see again.
class region {
  public:
    region(std::size_t bytes, std::size_t alignment) : bytes_{bytes} {
        const std::size_t taken = (bytes + alignment - 1) / alignment * alignment;
        inner_ = std::max<std::size_t>(page, (taken + page - 1) / page * page);
        void* memory = mmap(nullptr, inner_ + 2 * page, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory == MAP_FAILED) throw std::bad_alloc{};
        first_ = static_cast<unsigned char*>(memory) + page;
        mprotect(memory, page, PROT_NONE);
        mprotect(first_ + inner_, page, PROT_NONE);
        begin_ = first_ + inner_ - taken;
        std::memset(first_, pattern, inner_);
        poison();
        all().push_back(this);
    }
    region(const region&) = delete;
    region& operator=(const region&) = delete;
    ~region() {
        std::erase(all(), this);
        munmap(first_ - page, inner_ + 2 * page);
    }

    unsigned char* begin() const { return begin_; }
    std::size_t bytes() const { return bytes_; }
    /// Every bit 1: NaN in all float formats, -1 in integers.
    void poison() const { std::memset(begin_, 0xff, bytes_); }

    void check() const {
        const auto intact = [](unsigned char value) { return value == pattern; };
        const std::string size = std::to_string(bytes_) + " bytes";
        if (!std::all_of(first_, begin_, intact))
            throw fault{"simt: something wrote before a buffer of " + size};
        if (!std::all_of(begin_ + bytes_, first_ + inner_, intact))
            throw fault{"simt: something wrote behind a buffer of " + size};
    }
    static void check_all() {
        for (const region* r : all()) r->check();
    }

    /// Which buffer an address that faulted misses.
    static std::string words_for(const void* address) {
        const auto* at = static_cast<const unsigned char*>(address);
        for (const region* r : all()) {
            const auto offset = std::to_string(at - r->begin_);
            if (at >= r->first_ - page && at < r->first_ + r->inner_ + page)
                return "byte " + offset + " of a buffer of " + std::to_string(r->bytes_);
        }
        return "an address in no buffer, or a misaligned one";
    }

  private:
    static std::vector<const region*>& all() {
        static std::vector<const region*> regions;
        return regions;
    }
    static constexpr std::size_t page = 4096;
    static constexpr unsigned char pattern = 0xa5;
    std::size_t bytes_, inner_;
    unsigned char *first_, *begin_;
};

/// Elements in device memory: 16-byte aligned, poisoned until written.
template <class T> class buffer {
  public:
    explicit buffer(std::size_t count) : count_{count}, region_{count * sizeof(T), 16} {}
    explicit buffer(const std::vector<T>& values) : buffer(values.size()) { copy(values); }
    explicit buffer(std::span<const T> values) : buffer(values.size()) { copy(values); }
    buffer(std::initializer_list<T> values) : buffer(values.size()) { copy(values); }

    T* data() const { return reinterpret_cast<T*>(region_.begin()); }
    std::size_t size() const { return count_; }
    T& operator[](std::size_t i) const {
        if (i >= count_)
            throw fault{"simt: expected an index below " + std::to_string(count_) + ", got " +
                        std::to_string(i)};
        return data()[i];
    }
    T* begin() const { return data(); }
    T* end() const { return data() + count_; }
    void poison() const { region_.poison(); }

  private:
    void copy(const auto& values) { std::copy(values.begin(), values.end(), begin()); }
    std::size_t count_;
    region region_;
};
template <class T> buffer(const std::vector<T>&) -> buffer<T>;

}  // namespace g4k::simt
