// One spelling for the names of tensors, whatever tool exported the file.
#pragma once
#include "g4/weights/name_pattern.hpp"
#include <algorithm>
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace g4 {

/// What a model says about the names in its checkpoints. Names are compared in canonical form:
/// without the prefixes, then respelled. Declared names and names in files go the same way.
struct weight_name_rules {
    /// A tensor that some exports repeat: it may be absent, or hold the same bytes as another.
    struct copy_of {
        std::string name;      // "lm_head.weight"
        std::string original;  // "model.language_model.embed_tokens.weight", which is declared
    };

    /// Stripped from the front in this order, each at most once: {"model.", "language_model."}.
    std::vector<std::string> prefixes;
    /// Older spellings become the declared one; gets and returns a name without prefixes. May be
    /// empty.
    std::function<std::string(std::string)> respell;
    /// Canonical names, matched as a whole, of tensors that may lie in a file unused.
    std::vector<name_pattern> ignored;
    std::vector<copy_of> copies;

    std::string canonical(std::string_view name) const {
        for (const std::string& prefix : prefixes)
            if (name.starts_with(prefix)) name.remove_prefix(prefix.size());
        return respell ? respell(std::string{name}) : std::string{name};
    }
    /// A canonical name behind every selection of the prefixes: all that canonical() maps to it.
    std::vector<std::string> spellings(const std::string& canonical_name) const {
        std::vector<std::string> out{canonical_name};
        for (auto prefix = prefixes.rbegin(); prefix != prefixes.rend(); ++prefix)
            for (std::size_t i = 0, count = out.size(); i < count; ++i)
                out.push_back(*prefix + out[i]);
        return out;
    }
    bool ignores(std::string_view canonical_name) const {
        return std::any_of(ignored.begin(), ignored.end(), [&](const name_pattern& pattern) {
            return pattern.matches(canonical_name);
        });
    }
};

/// How many characters must be put in, taken out or replaced to make one name of the other.
inline std::size_t edit_distance(std::string_view left, std::string_view right) {
    std::vector<std::size_t> row(right.size() + 1);
    for (std::size_t i = 0; i < row.size(); ++i) row[i] = i;
    for (std::size_t i = 0; i < left.size(); ++i) {
        std::size_t diagonal = std::exchange(row[0], i + 1);
        for (std::size_t k = 0; k < right.size(); ++k) {
            const std::size_t replaced = diagonal + (left[i] == right[k] ? 0 : 1);
            diagonal = row[k + 1];
            row[k + 1] = std::min({replaced, diagonal + 1, row[k] + 1});
        }
    }
    return row.back();
}

}  // namespace g4
