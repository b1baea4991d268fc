// Rules that hold for every source file: its size, its first line, and what a library leaves alone.
#include "tests/support/source_tree.hpp"
#include <doctest/doctest.h>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

namespace {

using g4::testing::source_file;

constexpr std::size_t most_lines = 400, most_columns = 100;

using findings = std::vector<std::string>;

std::string place(const source_file& file, std::size_t line) {
    return file.path + ":" + std::to_string(line) + ": ";
}

findings long_files(const std::vector<source_file>& files) {
    findings found;
    for (const source_file& file : files)
        if (file.lines.size() > most_lines)
            found.push_back(place(file, most_lines + 1) + "expected at most 400 lines, got " +
                            std::to_string(file.lines.size()));
    return found;
}

findings wide_lines(const std::vector<source_file>& files) {
    findings found;
    for (const source_file& file : files)
        for (std::size_t i = 0; i < file.lines.size(); ++i)
            if (const std::size_t got = g4::testing::columns(file.lines[i]); got > most_columns)
                found.push_back(place(file, i + 1) + "expected at most 100 columns, got " +
                                std::to_string(got));
    return found;
}

// The reason why a file exists comes first, in words.
findings first_line_findings(const std::vector<source_file>& files) {
    findings found;
    for (const source_file& file : files)
        if (file.lines.empty() || !file.lines[0].starts_with("// ") || file.lines[0].size() < 15)
            found.push_back(place(file, 1) + "expected `// why this file exists`");
    return found;
}

findings missing_guards(const std::vector<source_file>& files) {
    findings found;
    for (const source_file& file : files)
        if (std::ranges::find(file.lines, "#pragma once") == file.lines.end())
            found.push_back(place(file, 1) + "expected #pragma once, got none");
    return found;
}

// Every line that matches, outside of comments.
findings matches(const std::vector<source_file>& files, const char* pattern) {
    const std::regex expression{pattern};
    findings found;
    for (const source_file& file : files)
        for (std::size_t i = 0; i < file.lines.size(); ++i) {
            const std::string code = file.lines[i].substr(0, file.lines[i].find("//"));
            if (std::regex_search(code, expression)) found.push_back(place(file, i + 1) + code);
        }
    return found;
}

#define G4_CHECK_NONE(findings_of)                             \
    do {                                                       \
        const findings found = findings_of;                    \
        INFO("findings:", g4::testing::listed(found));         \
        CHECK(found.empty());                                  \
    } while (false)

auto read(std::initializer_list<std::string_view> folders,
          std::initializer_list<std::string_view> extensions) {
    return g4::testing::read_tree(G4_SOURCE_DIR, folders, extensions);
}

auto cpp_files() {
    return read({"include/g4", "codegen", "models", "apps", "tests", "bench"},
                {".hpp", ".cuh", ".cpp"});
}

}  // namespace

TEST_CASE("sources: no file is longer than 400 lines") {
    const auto files = read(
        {"include/g4", "codegen", "models", "apps", "tests", "bench", "tools", "scripts"},
        {".hpp", ".cuh", ".cpp", ".py", ""});
    REQUIRE(files.size() > 50);
    G4_CHECK_NONE(long_files(files));
}

TEST_CASE("sources: no line of C++ is wider than 100 columns") {
    G4_CHECK_NONE(wide_lines(cpp_files()));
}

TEST_CASE("sources: the first line of a file says why it exists") {
    G4_CHECK_NONE(first_line_findings(cpp_files()));
}

TEST_CASE("sources: a header is read once") {
    G4_CHECK_NONE(missing_guards(read({"include/g4", "models", "apps", "tests"}, {".hpp"})));
}

TEST_CASE("sources: the library reads no environment and prints nothing by itself") {
    const auto files = read({"include/g4", "models"}, {".hpp"});
    G4_CHECK_NONE(matches(files, R"(\b(secure_)?getenv\b|\bsetenv\b)"));
    G4_CHECK_NONE(matches(files, R"(#\s*include\s*<iostream>|\bstd::(cout|cerr|clog)\b)"));
}

TEST_CASE("sources: only the runtime and its compiler know the device's headers") {
    auto files = read({"include/g4", "models", "apps"}, {".hpp", ".cpp"});
    std::erase_if(files, [](const source_file& file) {
        return file.path.starts_with("include/g4/runtime/") ||
               file.path.starts_with("include/g4/jit/");
    });
    G4_CHECK_NONE(matches(files, R"(#\s*include\s*<(cuda|nvrtc|cub|nccl)[^>]*>)"));
}

TEST_CASE("sources: the rules find what they look for") {
    const std::string first = "// Why this file exists.";
    const source_file long_file{"a.hpp", std::vector<std::string>(401, "x")};
    const source_file wide{"b.hpp", {first, std::string(101, 'x')}};
    const source_file greek{"c.hpp", {first, "\u00b7\u00b7" + std::string(98, 'x')}};
    const source_file reader{"d.hpp", {"int a; // getenv", "auto b = std::getenv(\"B\");"}};
    CHECK(long_files({long_file, wide}).size() == 1);
    CHECK(wide_lines({wide}) == findings{"b.hpp:2: expected at most 100 columns, got 101"});
    CHECK(wide_lines({greek}).empty());
    CHECK(first_line_findings({long_file, wide}).size() == 1);
    CHECK(missing_guards({wide}).size() == 1);
    CHECK(matches({reader}, "getenv").size() == 1);
}
