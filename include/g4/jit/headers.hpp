// The device code that requests include: the copy in the program, or a folder on disk.
#pragma once
#include "g4/core/error.hpp"
#include "g4/core/file.hpp"
#include "g4/jit/nvrtc.hpp"
#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace g4::jit {

/// Header files by the names that includes use, which start at the repository's root.
using header_map = std::map<std::string, std::string, std::less<>>;

/// The folder codegen/ as it was when the program was built. Defined by the target g4::codegen.
const header_map& embedded_headers();

/// The folder codegen/ below `root` as it is now.
/// Errors: input_error when there is none.
inline header_map read_headers(const std::filesystem::path& root) {
    const auto folder = root / "codegen";
    if (!std::filesystem::is_directory(folder))
        throw input_error{folder.string(), ": expected the folder of the device code, got none"};
    header_map out;
    for (const auto& entry : std::filesystem::recursive_directory_iterator{folder}) {
        const std::string extension = entry.path().extension().string();
        if (entry.is_regular_file() && (extension == ".hpp" || extension == ".cuh"))
            out.emplace(std::filesystem::relative(entry.path(), root).generic_string(),
                        read_file(entry.path()));
    }
    return out;
}

/// What a text includes: `quoted` by "", `system` by <>.
struct include_names {
    std::vector<std::string> quoted, system;
};
inline include_names includes_of(std::string_view text) {
    include_names out;
    const auto skip = [](std::string_view& line, std::string_view word) {
        line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
        if (!line.starts_with(word)) return false;
        line.remove_prefix(word.size());
        line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
        return true;
    };
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (!skip(line, "#") || !skip(line, "include") || line.empty()) continue;
        const char close = line.front() == '"' ? '"' : '>';
        const std::size_t stop = line.find(close, 1);
        if (stop == line.npos) continue;
        (close == '"' ? out.quoted : out.system).emplace_back(line.substr(1, stop - 1));
    }
    return out;
}

/// All that a text reaches: what it and its headers include, sorted by name.
struct reached_headers {
    std::vector<header> headers;
    bool uses_cub = false;
};
/// Errors: internal_error when a header is missing.
inline reached_headers reach(const header_map& all, const std::string& name,
                             std::string_view text) {
    reached_headers out;
    std::set<std::string, std::less<>> seen;
    std::vector<std::pair<std::string, std::string_view>> open{{name, text}};
    while (!open.empty()) {
        const auto [from, content] = open.back();
        open.pop_back();
        const include_names found = includes_of(content);
        for (const std::string& system : found.system)
            out.uses_cub = out.uses_cub || system.starts_with("cub/") ||
                           system.starts_with("cuda/") || system.starts_with("thrust/");
        for (const std::string& next : found.quoted) {
            const auto at = all.find(next);
            if (at == all.end())
                throw internal_error{"jit: ",
                                     from,
                                     ": expected a file of codegen/ named from the ",
                                     "repository's root, got \"",
                                     next,
                                     "\""};
            if (!seen.insert(next).second) continue;
            open.emplace_back(next, at->second);
            out.headers.push_back({next, at->second});
        }
    }
    std::ranges::sort(out.headers, {}, &header::path);
    return out;
}

}  // namespace g4::jit
