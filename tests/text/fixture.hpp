// The small tokenizer of tests/golden, and what tests do with its JSON.
#pragma once
#include "g4/text/text.hpp"
#include <boost/json.hpp>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace g4::testing {

inline const std::filesystem::path small_tokenizer_path =
    G4_SOURCE_DIR "/tests/golden/tokenizer/small.json";

inline std::string file_text(const std::filesystem::path& path) {
    std::ifstream in{path, std::ios::binary};
    if (!in) throw std::runtime_error{"cannot read " + path.string()};
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

inline boost::json::value file_json(const std::filesystem::path& path) {
    return boost::json::parse(file_text(path));
}

inline std::vector<std::int32_t> ids_of(const boost::json::value& list) {
    return boost::json::value_to<std::vector<std::int32_t>>(list);
}

/// The tokenizer that a tokenizer.json of this text gives.
inline tokenizer tokenizer_from(const std::string& text) {
    const auto path = std::filesystem::temp_directory_path() /
                      concat("g4-tokenizer-", std::hash<std::string>{}(text), ".json");
    std::ofstream{path, std::ios::binary} << text;
    struct remover {
        const std::filesystem::path& file;
        ~remover() { std::filesystem::remove(file); }
    } const removes_it{path};
    return tokenizer::load(path);
}

}  // namespace g4::testing
