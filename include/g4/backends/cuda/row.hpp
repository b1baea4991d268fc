// Row operators on the device: the kernel of a row config, and how it is launched.
#pragma once
#include "codegen/row/config.hpp"
#include "g4/backends/cuda/config_text.hpp"
#include "g4/core/error.hpp"
#include "g4/emit/request.hpp"
#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>

BOOST_HANA_ADAPT_STRUCT(g4k::row_target, value, kind);
BOOST_HANA_ADAPT_STRUCT(g4k::row_chain, width, parts, source_count, sources, steps, target_count,
                        targets);
BOOST_HANA_ADAPT_STRUCT(g4k::row_config, chain_count, chains, team, page_tokens, many_rows);

namespace g4k {

constexpr auto spellings(source_kind) {
    return std::array<std::string_view, 4>{"source_kind::sums", "source_kind::f32",
                                           "source_kind::bf16", "source_kind::table"};
}
constexpr auto spellings(target_kind) {
    return std::array<std::string_view, 4>{"target_kind::bf16", "target_kind::f32",
                                           "target_kind::key", "target_kind::value"};
}

}  // namespace g4k

namespace g4::cuda {

/// Whether an element of the chain needs others of its part.
constexpr bool row_reaches(const g4k::row_chain& chain) {
    const auto reaching = [](const g4k::step& s) {
        return s.op == g4k::step_op::rms_norm || s.op == g4k::step_op::rope;
    };
    const auto appending = [](const g4k::row_target& t) { return t.kind >= g4k::target_kind::key; };
    return std::ranges::any_of(chain.steps, reaching) ||
           std::ranges::any_of(chain.targets, appending);
}

/// The config that is compiled: where no element needs another, parts are cut into what suits a
/// warp, so that one row keeps many multiprocessors busy.
constexpr g4k::row_config row_cut(g4k::row_config config) {
    for (int c = 0; c < config.chain_count; ++c) {
        g4k::row_chain& chain = config.chains[c];
        if (row_reaches(chain)) continue;
        int part = 512;
        while (part > 64 && chain.width % part != 0) part -= part > 256 ? 256 : 8;
        if (chain.width <= part || chain.width % part != 0) continue;
        chain.parts *= chain.width / part;
        chain.width = part;
    }
    return config;
}

/// Why no row kernel takes a chain, in words; empty: one does.
inline std::string row_refuses(const g4k::row_chain& chain) {
    if (chain.width < 1 || chain.width > g4k::max_row_width)
        return concat("row: expected parts of 1 to ", g4k::max_row_width, " elements, got ",
                      chain.width);
    if (g4k::row_turns(chain) && chain.width % 2 != 0)
        return concat("row: expected an even part where it turns, got ", chain.width, " elements");
    if (chain.parts < 1) return concat("row: expected at least one part, got ", chain.parts);
    if (chain.source_count < 1 || chain.source_count > std::ssize(chain.sources))
        return concat("row: expected 1 to ", std::size(chain.sources), " sources, got ",
                      chain.source_count);
    return {};
}
inline std::string row_refuses(const g4k::row_config& asked) {
    const g4k::row_config config = row_cut(asked);
    if (config.chain_count < 1 || config.chain_count > g4k::max_row_chains)
        return concat("row: expected 1 to ", g4k::max_row_chains, " chains, got ",
                      config.chain_count);
    for (int c = 0; c < config.chain_count; ++c) {
        if (auto words = row_refuses(config.chains[c]); !words.empty()) return words;
        for (const g4k::row_target& t : config.chains[c].targets)
            if (t.kind >= g4k::target_kind::key && config.page_tokens < 1)
                return concat("row: expected page_tokens of a chain that appends, got ",
                              config.page_tokens);
    }
    return {};
}

/// "_gelu_mul" of a list of steps.
template <std::size_t Count> std::string row_step_names(const g4k::step (&steps)[Count]) {
    constexpr std::string_view names[]{"",    "_gelu",  "_silu",    "_add",  "_mul",
                                       "_by", "_scale", "_softcap", "_norm", "_rope"};
    std::string out;
    for (const g4k::step& s : steps) out += names[static_cast<std::size_t>(s.op)];
    return out;
}

/// What the kernel does, chain by chain; equal neighbours once.
inline std::string row_name(const g4k::row_config& config) {
    std::string out = "g4_row", last;
    for (int c = 0; c < config.chain_count; ++c) {
        const g4k::row_chain& chain = config.chains[c];
        std::string own;
        if (std::ranges::find(chain.sources, g4k::source_kind::table) != std::end(chain.sources))
            own += "_embed";
        own += row_step_names(chain.steps);
        for (int t = 0; t < chain.target_count; ++t) {
            if (chain.targets[t].kind == g4k::target_kind::key) own += "_key";
            if (chain.targets[t].kind == g4k::target_kind::value) own += "_value";
        }
        if (own.empty()) own = "_copy";
        if (c > 0 && own != last) out += "_and";
        if (own != last) out += own;
        last = own;
    }
    if (config.many_rows) out += "_many";
    return out;
}

/// Errors: input_error for a config that no variant takes.
inline kernel_request row_request(const g4k::row_config& asked) {
    if (auto words = row_refuses(asked); !words.empty()) throw input_error{words};
    const g4k::row_config config = row_cut(asked);
    const int team = g4k::row_team(config);
    std::string name = row_name(config);
    // Without the 1 ptxas keeps to 48 registers on sm_80 and spills three of them.
    const bool small_rows = team == 32 && config.chain_count == 1 && config.chains[0].parts == 1;
    std::string text =
        concat("#include \"codegen/row/row.cuh\"\nusing namespace g4k;\n",
               "constexpr row_config config", literal(config), ";\n",
               "extern \"C\" __global__ void __launch_bounds__(", team == 32 ? 256 : team,
               small_rows ? ", 1)\n" : ")\n",
               name, "(const __grid_constant__ row_args args) { row<config>(args); }\n");
    return {std::move(name), std::move(text)};
}

inline launch_shape row_shape(const g4k::row_config& asked, int rows) {
    const g4k::row_config config = row_cut(asked);
    const int team = g4k::row_team(config);
    int parts = 0;
    for (int c = 0; c < config.chain_count; ++c) parts += config.chains[c].parts;
    // A block for each team while they are few: they spread over all multiprocessors.
    const int teams = team > 32 ? 1 : rows * parts <= 1024 ? 1 : 8;
    int blocks = 0;
    for (int c = 0; c < config.chain_count; ++c)
        blocks += g4k::row_blocks(config, config.chains[c], rows, teams);
    return {.grid_x = static_cast<unsigned>(blocks),
            .threads = static_cast<unsigned>(team * teams),
            .shared_bytes = team > 32 ? 2 * 32 * 4u : 0u};
}

}  // namespace g4::cuda
