// The kernels that a plan may launch: gathered by a dry run, compiled together, called by number.
#pragma once
#include "g4/emit/request.hpp"
#include "g4/runtime/kernel_library.hpp"
#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

namespace g4::cuda {

/// A number for a choice of variant, from everything that tells it from others of the same pass.
/// Source: FNV-1a (Fowler, Noll, Vo), on whole numbers.
inline std::uint64_t choice_key(std::initializer_list<int> parts) {
    std::uint64_t out = 14695981039346656037u;
    for (const int part : parts) out = (out ^ static_cast<std::uint64_t>(part)) * 1099511628211u;
    return out;
}

class kernel_set {
  public:
    /// The number of a request, which is new only while kernels are gathered.
    std::int32_t number_of(const kernel_request& request) {
        const auto [found, added] = numbers_.try_emplace(
            request.text, static_cast<std::int32_t>(requests_.size()));
        if (added) {
            if (!loaded_.empty())
                throw internal_error{"cuda: ", request.name, ": expected a kernel that the dry ",
                                     "run found, got a new one: ", request.text};
            requests_.push_back(request);
        }
        return found->second;
    }
    /// Looked up by what asks (a pass) and a key of its choice; `make` is called the first time.
    template <class Make>
    std::int32_t remembered(const void* who, std::uint64_t key, const Make& make) {
        auto& of_pass = remembered_[who];
        const auto [found, added] = of_pass.try_emplace(key, 0);
        if (added) found->second = number_of(make());
        return found->second;
    }

    const std::vector<kernel_request>& requests() const { return requests_; }
    void load(const kernel_library& library) {
        for (const kernel_request& r : requests_) loaded_.push_back(&library.get(r));
    }
    const kernel& at(std::int32_t number) const {
        return *loaded_[static_cast<std::size_t>(number)];
    }

  private:
    std::vector<kernel_request> requests_;
    std::unordered_map<std::string, std::int32_t> numbers_;
    std::unordered_map<const void*, std::unordered_map<std::uint64_t, std::int32_t>> remembered_;
    std::vector<const kernel*> loaded_;
};

}  // namespace g4::cuda
