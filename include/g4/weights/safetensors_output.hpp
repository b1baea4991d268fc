// Writes a safetensors file whose tensors are known before their bytes are: none is kept in memory.
// Source: github.com/huggingface/safetensors, README "Format" and src/tensor.rs, 0.6.
#pragma once
#include "g4/core/error.hpp"
#include "g4/core/json.hpp"
#include "g4/weights/safetensors.hpp"
#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <vector>

namespace g4 {

/// A tensor that a file will hold.
struct tensor_form {
    std::string name, type_name;  // BF16, I32, …
    std::vector<std::int64_t> shape;
    std::uint64_t bytes = 0;
};

/// The header of a file with these tensors, their data in this order and without gaps.
inline boost::json::object safetensors_header(std::span<const tensor_form> tensors) {
    boost::json::object out;
    out["__metadata__"] = {{"format", "pt"}};  // transformers refuses a file without it
    std::uint64_t at = 0;
    for (const tensor_form& tensor : tensors) {
        out[tensor.name] = {{"dtype", tensor.type_name},
                            {"shape", boost::json::value_from(tensor.shape)},
                            {"data_offsets", {at, at + tensor.bytes}}};
        at += tensor.bytes;
    }
    return out;
}

/// A new file. Its place on the disk is taken at once, so that a full disk shows before the work;
/// tensors are written in any order, each in one piece or many.
class safetensors_output {
  public:
    /// Errors: input_error when the file is there already or cannot be written, a full disk
    /// included.
    safetensors_output(const std::filesystem::path& file, std::vector<tensor_form> tensors);
    safetensors_output(const safetensors_output&) = delete;
    safetensors_output& operator=(const safetensors_output&) = delete;
    ~safetensors_output() {
        if (handle_ >= 0) ::close(handle_);
    }

    /// The next bytes of one tensor. Errors: input_error when they cannot be written.
    void write(std::string_view name, std::span<const std::byte> bytes);
    /// All tensors are there: their bytes go to the disk. Errors: input_error when they do not.
    void finish();

  private:
    struct place {
        std::uint64_t at = 0, left = 0;
    };
    [[noreturn]] void fail(std::string_view what, int reason) const {
        throw input_error{file_,
                          ": cannot be ",
                          what,
                          ": ",
                          std::strerror(reason),
                          reason == ENOSPC ? "; free some space, or write to another disk" : ""};
    }
    void write_at(std::uint64_t at, std::span<const std::byte> bytes);

    std::string file_;
    int handle_ = -1;
    std::map<std::string, place, std::less<>> places_;
};

inline safetensors_output::safetensors_output(const std::filesystem::path& file,
                                              std::vector<tensor_form> tensors)
    : file_{file.string()} {
    // large elements first: then each tensor lies at a multiple of its own
    std::stable_sort(tensors.begin(), tensors.end(), [](const auto& left, const auto& right) {
        return detail::bits_of_type(left.type_name) > detail::bits_of_type(right.type_name);
    });
    std::string header = boost::json::serialize(safetensors_header(tensors));
    header.resize((header.size() + 7) / 8 * 8, ' ');
    std::string front;
    for (int i = 0; i < 8; ++i) front += static_cast<char>(header.size() >> 8 * i & 255);
    front += header;
    std::uint64_t end = front.size();
    for (const tensor_form& tensor : tensors) {
        G4_ASSERT(places_.emplace(tensor.name, place{end, tensor.bytes}).second, file_, ": ",
                  tensor.name, " twice");
        end += tensor.bytes;
    }
    handle_ = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (handle_ < 0) fail("made", errno);
    // not every file system can; there a full disk shows when the bytes are written
    if (::fallocate(handle_, 0, 0, static_cast<::off_t>(end)) != 0 && errno == ENOSPC)
        fail("given its " + concat(end) + " bytes", ENOSPC);
    write_at(0, std::as_bytes(std::span{front}));
}

inline void safetensors_output::write_at(std::uint64_t at, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ::ssize_t done =
            ::pwrite(handle_, bytes.data(), std::min<std::size_t>(bytes.size(), 1u << 30),
                     static_cast<::off_t>(at));
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) fail("written", errno);
        at += static_cast<std::uint64_t>(done);
        bytes = bytes.subspan(static_cast<std::size_t>(done));
    }
}

inline void safetensors_output::write(std::string_view name, std::span<const std::byte> bytes) {
    const auto found = places_.find(name);
    G4_ASSERT(found != places_.end(), file_, ": no tensor ", name);
    place& to = found->second;
    G4_ASSERT(bytes.size() <= to.left, file_, ": ", name, " has ", to.left, " bytes left, got ",
              bytes.size());
    write_at(to.at, bytes);
    to.at += bytes.size();
    to.left -= bytes.size();
}

inline void safetensors_output::finish() {
    for (const auto& [name, to] : places_)
        G4_ASSERT(to.left == 0, file_, ": ", name, ": ", to.left, " bytes were not written");
    if (::fsync(handle_) != 0) fail("brought to the disk", errno);
    // errors that the system kept back come with the last close
    if (::close(std::exchange(handle_, -1)) != 0) fail("closed", errno);
}

}  // namespace g4
