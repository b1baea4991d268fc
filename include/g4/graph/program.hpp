// A program: which blocks run, in what order, and which result feeds which input.
#pragma once
#include "g4/core/list.hpp"
#include "g4/graph/node.hpp"
#include <boost/hana.hpp>
#include <initializer_list>
#include <type_traits>

namespace g4 {
namespace hana = boost::hana;

/// What an input of a call stands for.
struct feed {
    enum kind : std::uint8_t { token_ids, result, cache } from = token_ids;
    std::int16_t call = none;  // whose result
    std::int16_t row = none;   // the layer's row of a result with one axis more behind the tokens

    /// One layer's row of this result: [tokens, ple] of [tokens, layers, ple].
    constexpr feed row_of(std::int16_t layer) const { return {from, call, layer}; }
};

/// The token ids of the launch.
inline constexpr feed ids{};

/// Which place a call has among the layers: its own number, and whose cache it reads or fills.
struct layer_place {
    std::int16_t layer = none, kv_layer = none;
};

/// One line of a program. `inputs` are those of declare() in order, the cache left out: it is
/// always that of `kv_layer`.
struct call {
    std::int16_t block = none, layer = none, kv_layer = none;
    list<feed, 4> inputs{};
};

/// Where a block stands in the tuple of its model.
template <class Block, class... Types>
constexpr std::int16_t position_in(const hana::tuple<Types...>&) {
    std::int16_t at = 0;
    (void)((std::is_same_v<typename Types::type, Block> || (++at, false)) || ...);
    return at;
}

/// Calls in order. The last one gives the result of a step.
struct program : list<call, 160> {
    /// Appends a call of the block at `block` and returns what its result is for later calls.
    constexpr feed run(std::int16_t block, std::initializer_list<feed> inputs,
                       layer_place place = {}) {
        call c{block, place.layer, place.kv_layer, {}};
        for (const feed& f : inputs) c.inputs.push_back(f);
        push_back(c);
        return {feed::result, static_cast<std::int16_t>(count - 1), none};
    }
};

}  // namespace g4
