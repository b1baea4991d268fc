// Reads a small file whole, or says in the words of an input_error why it cannot.
#pragma once
#include "g4/core/error.hpp"
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

namespace g4 {

/// The bytes of a regular file (links are followed). For configs and templates; weights are mapped.
/// Errors: input_error when it is missing, not a regular file, longer than max_bytes, or
/// unreadable.
inline std::string read_file(const std::filesystem::path& file,
                             std::uintmax_t max_bytes = std::uintmax_t{64} << 20) {
    std::error_code failed;
    const std::filesystem::file_status status = std::filesystem::status(file, failed);
    if (!std::filesystem::exists(status))
        throw input_error{file.string(), ": expected a file, got nothing of that name"};
    if (!std::filesystem::is_regular_file(status))
        throw input_error{file.string(), ": expected a regular file, got ",
                          std::filesystem::is_directory(status) ? "a folder" : "a special file"};
    const std::uintmax_t size = std::filesystem::file_size(file, failed);
    if (failed) throw input_error{file.string(), ": cannot read its size: ", failed.message()};
    if (size > max_bytes)
        throw input_error{file.string(), ": expected at most ", max_bytes, " bytes, got ", size};
    std::string bytes(static_cast<std::size_t>(size), '\0');
    std::ifstream in{file, std::ios::binary};
    in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (!in)
        throw input_error{file.string(), ": expected ", size, " readable bytes, got ",
                          in.is_open() ? in.gcount() : 0};
    return bytes;
}

}  // namespace g4
