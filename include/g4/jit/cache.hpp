// Compiled kernels on disk, found again by what they were compiled from. Safe under processes that
// share the folder, and under one that is killed at any moment.
#pragma once
#include "g4/core/error.hpp"
#include "g4/core/file.hpp"
#include "g4/core/sha256.hpp"
#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <sys/file.h>
#include <system_error>
#include <unistd.h>
#include <utility>
#include <vector>

namespace g4::jit {

struct cache_entry {
    std::string cubin, log;
};

/// An exclusive lock between processes, and between threads; ends with its holder's life.
class file_lock {
  public:
    file_lock() = default;
    /// Waits. Holds nothing where the file cannot be opened: locks save work, files stay whole
    /// without them.
    explicit file_lock(const std::filesystem::path& file)
        : handle_{::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644)} {
        while (handle_ >= 0 && ::flock(handle_, LOCK_EX) != 0 && errno == EINTR) {}
    }
    file_lock(file_lock&& other) noexcept : handle_{std::exchange(other.handle_, -1)} {}
    file_lock& operator=(file_lock&& other) noexcept {
        std::swap(handle_, other.handle_);
        return *this;
    }
    ~file_lock() {
        if (handle_ >= 0) ::close(handle_);
    }

  private:
    int handle_ = -1;
};

/// A folder of entries, one file each, named by the key. A file begins with the hash of what
/// follows; a damaged one counts as missing and is removed.
class kernel_cache {
  public:
    /// Part of every key: what a new form of the files or of the inputs raises.
    static constexpr int schema = 1;
    static constexpr std::uintmax_t default_bytes = std::uintmax_t{1} << 30;

    /// Makes the folder. Errors: input_error when it cannot.
    explicit kernel_cache(std::filesystem::path folder, std::uintmax_t max_bytes = default_bytes)
        : folder_{std::move(folder)}, max_bytes_{max_bytes} {
        std::error_code failed;
        std::filesystem::create_directories(folder_, failed);
        if (!std::filesystem::is_directory(folder_))
            throw input_error{folder_.string(), ": expected a folder for compiled kernels, got ",
                              failed.message()};
    }

    /// Of all inputs of a compilation (compiler::inputs).
    static std::string key(std::string_view inputs) {
        return sha256(concat("g4 kernel ", schema, "\n", inputs));
    }

    /// Held while an entry is looked up, compiled and stored, so that it is compiled once. Keys
    /// share 256 locks: hold one at a time.
    file_lock lock(const std::string& key) const {
        return file_lock{folder_ / ("lock-" + key.substr(0, 2))};
    }

    std::optional<cache_entry> find(const std::string& key) const {
        const auto file = path(key);
        std::error_code failed;
        if (!std::filesystem::is_regular_file(file, failed)) return std::nullopt;
        try {
            auto found = parse(read_file(file, max_file_bytes), key);
            if (found) {  // the least recently used goes first
                std::filesystem::last_write_time(
                    file, std::filesystem::file_time_type::clock::now(), failed);
                return found;
            }
        } catch (const input_error&) {
            return std::nullopt;  // taken away meanwhile, or not ours to read
        }
        std::filesystem::remove(file, failed);
        return std::nullopt;
    }

    /// Writes aside, flushes and renames: the entry is there whole or not at all.
    /// Errors: input_error when the folder cannot be written.
    void store(const std::string& key, const cache_entry& entry) const {
        const std::string body = concat(key, "\n", entry.log.size(), "\n", entry.log,
                                        entry.cubin.size(), "\n", entry.cubin);
        write_whole(path(key), concat(first_word, sha256(body), "\n", body));
        evict(key);
    }

    const std::filesystem::path& folder() const { return folder_; }

    /// Writes a file so that another process sees the old one or the new one, also after a crash.
    static void write_whole(const std::filesystem::path& file, std::string_view bytes) {
        std::string aside = file.string() + ".XXXXXX.part";
        const int handle = ::mkostemps(aside.data(), 5, O_CLOEXEC);
        if (handle < 0) throw input_error{aside, ": cannot be written: ", std::strerror(errno)};
        bool good = true;
        for (std::string_view left = bytes; good && !left.empty();) {
            const auto wrote = ::write(handle, left.data(), left.size());
            if (wrote > 0) left.remove_prefix(static_cast<std::size_t>(wrote));
            else good = wrote < 0 && errno == EINTR;
        }
        good = good && ::fsync(handle) == 0;
        int reason = errno;
        ::close(handle);
        if (good && ::rename(aside.c_str(), file.c_str()) != 0) {
            good = false;
            reason = errno;
        }
        if (good) return;
        ::unlink(aside.c_str());
        throw input_error{file.string(), ": cannot be written: ", std::strerror(reason)};
    }

  private:
    static constexpr std::string_view first_word = "g4-kernel ";
    static constexpr std::uintmax_t max_file_bytes = std::uintmax_t{256} << 20;

    std::filesystem::path path(const std::string& key) const { return folder_ / (key + ".kernel"); }

    static std::optional<cache_entry> parse(std::string_view bytes, std::string_view key) {
        if (!bytes.starts_with(first_word)) return std::nullopt;
        bytes.remove_prefix(first_word.size());
        const auto line = [&]() -> std::string_view {
            const std::size_t end = std::min(bytes.find('\n'), bytes.size());
            const std::string_view out = bytes.substr(0, end);
            bytes.remove_prefix(std::min(end + 1, bytes.size()));
            return out;
        };
        const auto sized = [&] {
            std::size_t size = 0;
            const std::string_view digits = line();
            std::from_chars(digits.data(), digits.data() + digits.size(), size);
            const std::string_view out = bytes.substr(0, size);
            bytes.remove_prefix(out.size());
            return std::string{out};
        };
        const std::string_view hash = line();
        if (sha256(bytes) != hash || line() != key) return std::nullopt;
        cache_entry out;
        out.log = sized();
        out.cubin = sized();
        return out;
    }

    // Brings the folder under its bound, never by the entry just stored; takes away what a killed
    // process left half written.
    void evict(const std::string& keep) const {
        using clock = std::filesystem::file_time_type::clock;
        struct file {
            std::filesystem::file_time_type used;
            std::uintmax_t bytes;
            std::filesystem::path path;
        };
        std::vector<file> files;
        std::uintmax_t total = 0;
        std::error_code failed;
        for (const auto& entry : std::filesystem::directory_iterator{folder_, failed}) {
            const std::string extension = entry.path().extension().string();
            const auto used = entry.last_write_time(failed);
            if (failed) continue;
            if (extension == ".part" && used + std::chrono::hours{1} < clock::now())
                std::filesystem::remove(entry.path(), failed);
            if (extension != ".kernel") continue;
            const auto bytes = entry.file_size(failed);
            if (failed) continue;
            total += bytes;
            if (entry.path() != path(keep)) files.push_back({used, bytes, entry.path()});
        }
        std::ranges::sort(files, {}, &file::used);
        for (const file& oldest : files) {
            if (total <= max_bytes_) return;
            if (std::filesystem::remove(oldest.path, failed)) total -= oldest.bytes;
        }
    }

    std::filesystem::path folder_;
    std::uintmax_t max_bytes_;
};

}  // namespace g4::jit
