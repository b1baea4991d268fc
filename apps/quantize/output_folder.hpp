// The folder that a program writes: under another name until it is whole.
#pragma once
#include "g4/core/error.hpp"
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <string>
#include <string_view>
#include <sys/file.h>
#include <system_error>
#include <unistd.h>

namespace g4::apps {

/// OUT.partial, which becomes OUT in one step. Gone with the object unless that was done; what a
/// killed run left there is replaced. Locked, so that two runs do not write into one folder.
class output_folder {
  public:
    /// Errors: input_error when `wanted` is there and not empty (with overwrite: when it holds no
    ///         model), reaches into `source` or around it, is being written, or cannot be made.
    output_folder(const std::filesystem::path& wanted, const std::filesystem::path& source,
                  bool overwrite);
    output_folder(const output_folder&) = delete;
    output_folder& operator=(const output_folder&) = delete;
    ~output_folder() {
        if (lock_ < 0) return;
        std::error_code ignored;
        std::filesystem::remove_all(partial_, ignored);
        ::close(lock_);
    }

    /// Where to write.
    const std::filesystem::path& path() const { return partial_; }
    /// All is written: the folder takes its name. Errors: input_error when it cannot.
    void publish();

  private:
    static bool holds_anything(const std::filesystem::path& folder) {
        std::error_code failed;
        return std::filesystem::exists(folder, failed) &&
               (!std::filesystem::is_directory(folder, failed) ||
                !std::filesystem::is_empty(folder, failed));
    }
    void refuse_wrong_place(const std::filesystem::path& source, bool overwrite) const;
    void lock();
    static void rename(const std::filesystem::path& from, const std::filesystem::path& to) {
        std::error_code failed;
        std::filesystem::rename(from, to, failed);
        if (failed)
            throw input_error{from.string(), ": cannot become ", to.string(), ": ",
                              failed.message()};
    }

    std::filesystem::path wanted_, partial_;
    int lock_ = -1;
};

inline output_folder::output_folder(const std::filesystem::path& wanted,
                                    const std::filesystem::path& source, bool overwrite) {
    wanted_ = std::filesystem::absolute(wanted).lexically_normal();
    if (!wanted_.has_filename()) wanted_ = wanted_.parent_path();  // "out/"
    refuse_wrong_place(source, overwrite);
    partial_ = wanted_.string() + ".partial";
    std::error_code failed;
    std::filesystem::create_directories(partial_, failed);
    if (failed)
        throw input_error{partial_.string(),
                          ": expected a folder that can be made, got: ", failed.message()};
    lock();
    for (const auto& left : std::filesystem::directory_iterator{partial_})
        std::filesystem::remove_all(left.path());
}

inline void output_folder::refuse_wrong_place(const std::filesystem::path& source,
                                              bool overwrite) const {
    const std::string out = std::filesystem::weakly_canonical(wanted_).string() + "/";
    const std::string in = std::filesystem::weakly_canonical(source).string() + "/";
    if (out.starts_with(in) || in.starts_with(out))
        throw input_error{"-o: expected a folder beside ", source.string(), ", got ",
                          wanted_.string(), "; neither may hold the other"};
    if (!holds_anything(wanted_)) return;
    if (!overwrite)
        throw input_error{"-o: expected a folder that is new or empty, got ", wanted_.string(),
                          ", which holds something; choose another, or add --overwrite"};
    if (!std::filesystem::exists(wanted_ / "config.json"))
        throw input_error{"--overwrite: expected a model folder to replace, got ", wanted_.string(),
                          ", which has no config.json"};
}

inline void output_folder::lock() {
    lock_ = ::open(partial_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (lock_ >= 0 && ::flock(lock_, LOCK_EX | LOCK_NB) == 0) return;
    const int reason = errno;
    if (lock_ >= 0) ::close(lock_);
    lock_ = -1;
    throw input_error{partial_.string(),
                      reason == EWOULDBLOCK
                          ? ": is being written by another g4-quantize"
                          : std::string{": cannot be locked: "} + std::strerror(reason)};
}

inline void output_folder::publish() {
    const std::filesystem::path replaced = wanted_.string() + ".replaced";
    const bool replaces = holds_anything(wanted_);
    if (replaces) {
        std::filesystem::remove_all(replaced);
        rename(wanted_, replaced);
    }
    rename(partial_, wanted_);
    ::close(lock_);
    lock_ = -1;
    if (replaces) std::filesystem::remove_all(replaced);
}

}  // namespace g4::apps
