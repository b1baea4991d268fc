// The source tree as data, for the tests of the repository's own rules.
#pragma once
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace g4::testing {

struct source_file {
    std::string path;  // from the root of the repository, with slashes
    std::vector<std::string> lines;
};

struct include_line {
    std::size_t line = 0;  // counted from 1
    std::string name;
    bool quoted = false;   // "name" rather than <name>
};

/// What a line includes; `name` is empty when it includes nothing.
inline include_line parse_include(std::string_view text, std::size_t line) {
    const auto skip_blanks = [&] {
        const std::size_t to = text.find_first_not_of(" \t");
        text.remove_prefix(to == text.npos ? text.size() : to);
    };
    const auto skip = [&](std::string_view word) {
        if (!text.starts_with(word)) return false;
        text.remove_prefix(word.size());
        skip_blanks();
        return true;
    };
    skip_blanks();
    if (!skip("#") || !skip("include") || text.empty()) return {};
    const char close = text.front() == '"' ? '"' : text.front() == '<' ? '>' : '\0';
    if (close == '\0') return {};
    const std::size_t end = text.find(close, 1);
    if (end == text.npos) return {};
    return {line, std::string{text.substr(1, end - 1)}, close == '"'};
}

inline std::vector<include_line> includes_of(const source_file& file) {
    std::vector<include_line> found;
    for (std::size_t i = 0; i < file.lines.size(); ++i)
        if (include_line next = parse_include(file.lines[i], i + 1); !next.name.empty())
            found.push_back(std::move(next));
    return found;
}

/// Characters of a line of UTF-8, as an editor counts columns.
inline std::size_t columns(std::string_view line) {
    return static_cast<std::size_t>(std::count_if(line.begin(), line.end(), [](char byte) {
        return (static_cast<unsigned char>(byte) & 0xc0) != 0x80;
    }));
}

/// The files below `folders` whose extension is listed, sorted by path.
///   Folders that do not exist are passed over: the tree may be a part of the whole.
inline std::vector<source_file> read_tree(const std::filesystem::path& root,
                                          std::initializer_list<std::string_view> folders,
                                          std::initializer_list<std::string_view> extensions) {
    std::vector<source_file> files;
    for (std::string_view folder : folders) {
        if (!std::filesystem::is_directory(root / folder)) continue;
        for (const auto& entry : std::filesystem::recursive_directory_iterator{root / folder}) {
            const std::string extension = entry.path().extension().string();
            const bool wanted = std::ranges::find(extensions, extension) != extensions.end();
            if (!wanted || !entry.is_regular_file()) continue;
            source_file file{std::filesystem::relative(entry.path(), root).generic_string(), {}};
            std::ifstream in{entry.path()};
            for (std::string line; std::getline(in, line);) file.lines.push_back(line);
            if (!in.eof()) throw std::runtime_error{"source tree: cannot read " + file.path};
            files.push_back(std::move(file));
        }
    }
    std::ranges::sort(files, {}, &source_file::path);
    return files;
}

/// One line for each finding, so that a failing test names them all; of very many, the first.
inline std::string listed(const std::vector<std::string>& findings) {
    constexpr std::size_t most = 50;
    std::string text;
    for (std::size_t i = 0; i < std::min(findings.size(), most); ++i) text += "\n  " + findings[i];
    if (findings.size() > most) text += "\n  ... of " + std::to_string(findings.size());
    return text;
}

}  // namespace g4::testing
