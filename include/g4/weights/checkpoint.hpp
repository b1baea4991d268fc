// A folder of safetensors as one set of tensors: single file, or shards behind an index.
#pragma once
#include "g4/core/error.hpp"
#include "g4/core/json.hpp"
#include "g4/core/json_keys.hpp"
#include "g4/core/log.hpp"
#include "g4/weights/mapped_file.hpp"
#include "g4/weights/safetensors.hpp"
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

namespace g4 {

/// The tensors of a model folder, mapped. Whoever uses a tensor keeps the checkpoint alive.
///
/// Which files: model.safetensors, unless model.safetensors.index.json exists and names its
/// shards; else the only *.safetensors of the folder; else a whole set "x-00001-of-00003".
class checkpoint {
  public:
    /// Errors: input_error naming the file when there is none, a shard is missing, the index and
    /// its shards disagree, two files hold one name, or a file is malformed (parse_safetensors).
    static checkpoint open(const std::filesystem::path& folder, const logger& log = {});

    std::span<const stored_tensor> tensors() const { return tensors_; }
    /// By the name in the file, or null.
    const stored_tensor* find(std::string_view name) const {
        const auto found = by_name_.find(name);
        return found == by_name_.end() ? nullptr : &tensors_[found->second];
    }
    /// All files, with commas: what a message says when no single one is to blame.
    const std::string& description() const { return description_; }

    /// The bytes of a tensor at an address that fits elements of so many bytes: where they lie,
    /// or a copy that the checkpoint keeps.
    const std::byte* aligned(const stored_tensor& tensor, std::size_t element_bytes) {
        const std::byte* data = tensor.data.data();
        if (reinterpret_cast<std::uintptr_t>(data) % element_bytes == 0) return data;
        copies_.push_back(std::make_unique<std::byte[]>(tensor.data.size()));
        copied_bytes_ += tensor.data.size();
        std::memcpy(copies_.back().get(), data, tensor.data.size());
        return copies_.back().get();
    }
    /// How much aligned() has copied so far.
    std::size_t copied_bytes() const { return copied_bytes_; }

  private:
    using shard_of_tensor = std::map<std::string, std::string, std::less<>>;

    void add_file(const std::filesystem::path& file);
    void check_index(const shard_of_tensor& index, const std::string& index_file) const;

    std::vector<mapped_file> files_;
    std::vector<stored_tensor> tensors_;
    std::map<std::string, std::size_t, std::less<>> by_name_;
    std::string description_;
    std::vector<std::unique_ptr<std::byte[]>> copies_;
    std::size_t copied_bytes_ = 0;
};

namespace detail {

inline constexpr std::string_view single_file = "model.safetensors";
inline constexpr std::string_view index_file = "model.safetensors.index.json";

/// The weight_map of an index: tensor to shard. Errors: input_error naming the entry.
inline std::map<std::string, std::string, std::less<>> read_index(
    const std::filesystem::path& file) {
    const std::string text = read_file(file, 100'000'000);
    const boost::json::value parsed = parse_json(text, file.string(), {.bytes = text.size()});
    refuse_duplicate_keys(text, file.string());
    std::map<std::string, std::string, std::less<>> out;
    for (const auto& [tensor, shard] : json_view{parsed, file.string()}["weight_map"].members()) {
        const std::string_view name = shard.text();
        // a plain name: the index comes from a stranger and must not reach out of the folder
        if (!name.ends_with(".safetensors") || name.find_first_of("/\\") != name.npos ||
            name.find('\0') != name.npos)
            shard.expected("the name of a .safetensors file beside the index");
        out.emplace(tensor, name);
    }
    if (out.empty()) throw input_error{file.string(), ": expected tensors in weight_map, got none"};
    return out;
}

/// The *.safetensors of a folder that has neither index nor model.safetensors, sorted.
/// Errors: input_error when there are none or several that are not one whole numbered set.
inline std::vector<std::filesystem::path> loose_files(const std::filesystem::path& folder) {
    std::vector<std::filesystem::path> found;
    std::string others;
    std::error_code failed;
    for (const auto& entry : std::filesystem::directory_iterator{folder, failed}) {
        const std::string extension = entry.path().extension().string();
        if (extension == ".safetensors") found.push_back(entry.path());
        else if (extension == ".bin" || extension == ".gguf" || extension == ".pt")
            others = "; " + printable(entry.path().filename().string()) + " is of another format";
    }
    if (failed) throw input_error{folder.string(), ": cannot be read: ", failed.message()};
    std::sort(found.begin(), found.end());
    if (found.empty())
        throw input_error{folder.string(), ": expected ", single_file, ", got no file of that form",
                          others};
    for (std::size_t i = 0; found.size() > 1 && i < found.size(); ++i) {
        const auto digits = [](std::size_t number) {
            const std::string text = concat(number);
            return std::string(text.size() < 5 ? 5 - text.size() : 0, '0') + text;
        };
        const std::string name = found[i].filename().string();
        const std::string place = "-" + digits(i + 1) + "-of-" + digits(found.size());
        if (!name.ends_with(place + ".safetensors"))
            throw input_error{folder.string(), ": expected a shard that ends in ",
                              place,           ".safetensors, got ",
                              printable(name), "; there is no ",
                              index_file,      " that tells which files belong together"};
    }
    return found;
}

}  // namespace detail

inline void checkpoint::add_file(const std::filesystem::path& file) {
    mapped_file mapped{file};
    std::vector<stored_tensor> found = parse_safetensors(mapped.bytes(), mapped.path());
    for (stored_tensor& tensor : found) {
        const auto [at, fresh] = by_name_.emplace(tensor.name, tensors_.size());
        if (!fresh)
            throw input_error{mapped.path(), ": ", printable(tensor.name),
                              ": expected each tensor once, got it also in ",
                              tensors_[at->second].file};
        tensors_.push_back(std::move(tensor));
    }
    description_ += (files_.empty() ? "" : ", ") + mapped.path();
    files_.push_back(std::move(mapped));
}

inline void checkpoint::check_index(const shard_of_tensor& index,
                                    const std::string& index_file) const {
    const auto shard_name = [](const stored_tensor& tensor) {
        return std::filesystem::path{tensor.file}.filename().string();
    };
    for (const auto& [name, shard] : index) {
        const stored_tensor* tensor = find(name);
        if (tensor == nullptr)
            throw input_error{index_file,          ": ",  printable(name),
                              ": expected it in ", shard, ", got no tensor of that name there"};
        if (shard_name(*tensor) != shard)
            throw input_error{index_file, ": ",           printable(name),    ": expected it in ",
                              shard,      ", got it in ", shard_name(*tensor)};
    }
    for (const stored_tensor& tensor : tensors_)
        if (!index.contains(tensor.name))
            throw input_error{tensor.file,         ": ",       printable(tensor.name),
                              ": expected it in ", index_file, ", got no entry"};
}

inline checkpoint checkpoint::open(const std::filesystem::path& folder, const logger& log) {
    std::error_code failed;
    if (!std::filesystem::is_directory(folder, failed))
        throw input_error{folder.string(), ": expected a folder with a model, got ",
                          std::filesystem::exists(folder, failed) ? "a file" : "nothing"};
    checkpoint out;
    const std::filesystem::path index_path = folder / detail::index_file;
    const bool single = std::filesystem::exists(folder / detail::single_file, failed);
    shard_of_tensor index;
    std::set<std::string> shards;
    if (std::filesystem::exists(index_path, failed)) {
        index = detail::read_index(index_path);
        for (const auto& entry : index) shards.insert(entry.second);
        if (single && !shards.contains(std::string{detail::single_file})) {
            log.warning(index_path.string(), ": ignored, it does not name ", detail::single_file,
                        ", which is there and taken instead");
            index.clear();
            shards.clear();
        }
    }
    if (!index.empty()) {
        for (const std::string& shard : shards) {
            if (!std::filesystem::exists(folder / shard, failed))
                throw input_error{(folder / shard).string(), ": expected the shard that ",
                                  index_path.string(), " names, got nothing"};
            out.add_file(folder / shard);
        }
        out.check_index(index, index_path.string());
    } else if (single) {
        out.add_file(folder / detail::single_file);
    } else {
        for (const auto& file : detail::loose_files(folder)) out.add_file(file);
    }
    log.info("weights: mapped ", out.tensors_.size(), " tensors of ", out.files_.size(),
             out.files_.size() == 1 ? " file in " : " files in ", folder.string());
    return out;
}

}  // namespace g4
