// Uses an installed g4 as another project would: declares a model, binds it, reads a published one.
#include "g4/g4.hpp"
#include "g4/graph/print.hpp"
#include "models/gemma4/model.hpp"
#include <iostream>
#include <string>

namespace consumer {

using namespace g4;

struct model_config {
    BOOST_HANA_DEFINE_STRUCT(model_config, (int, vocab_size), (int, hidden_size));
};

struct tokens : axis<at_launch> {};
struct vocab : axis<at_load> {};
struct hidden : axis<at_load> {};

struct predictor {
    static constexpr tensor<bf16, tokens, vocab> declare(tensor<i32, tokens> ids) {
        return linear<vocab>(embed<vocab, hidden>(ids, "embed_tokens"), "lm_head");
    }
};

struct bigram {
    using config = model_config;
    static constexpr std::string_view prefix = "model.";
    static constexpr auto blocks = hana::tuple_t<predictor>;
    static constexpr auto bind(const model_config& c) {
        return binding{let<vocab>(c.vocab_size), let<hidden>(c.hidden_size)};
    }
    static constexpr program schedule(const model_config&) {
        program out;
        out.run(position_in<predictor>(blocks), {ids});
        return out;
    }
    static constexpr finding check(const model_config&) { return {}; }
};

inline constexpr model_config small{.vocab_size = 32, .hidden_size = 8};
static_assert(fits<bigram, small>);

}  // namespace consumer

int main() {
    const std::string text = print(g4::bind_program<consumer::bigram>(consumer::small));
    std::cout << text;
    const bool printed = text.find("lm_head.weight [vocab=32, hidden=8]") != std::string::npos;
    const auto gemma = g4::bind_program<g4::gemma4::text_model>(g4::gemma4::e2b);
    std::cout << "Gemma 4 E2B: " << gemma.calls.size() << " calls\n";
    return printed && gemma.calls.size() == 2 + 35 + 1 ? 0 : 1;
}
