// What fold takes out, seen on small blocks of their own.
#include "g4/g4.hpp"
#include "g4/passes/fold.hpp"
#include <doctest/doctest.h>

using namespace g4;

namespace {
struct tokens : axis<at_launch> {};
struct width : axis<at_load> {};
struct factor : scalar {};
using act = tensor<bf16, tokens, width>;

struct chain {
    static constexpr act declare(act x) { return silu(x * 2.0f * factor{} * 3.0f); }
};
struct by_one {
    static constexpr act declare(act x) { return silu(x) * 1.0f; }
};
struct read_twice {
    static constexpr act declare(act x) {
        act twice = x * 2.0f;
        return twice * 3.0f + twice;
    }
};
struct unread {
    static constexpr act declare(act x) {
        act ignored = silu(x);
        ignored = ignored * 2.0f;
        return gelu_tanh(x);
    }
};

bound_program program_of(const graph& g, double factor_value) {
    bound_program p{"", {{"block", g, {}}}, {}};
    for (int i = 0; i < g.name_count; ++i)
        if (g.names[i].size == at_load)
            p.blocks[0].values.of[i] =
                last_component(g.names[i].name) == "width" ? 4 : factor_value;
    return p;
}
std::string folded(const graph& g, double factor_value = 5) {
    const bound_program p = fold(program_of(g, factor_value));
    verify(p);
    std::string out;
    for (int i = 0; i < p.blocks[0].nodes.node_count; ++i)
        out += print_node(p.blocks[0].nodes, i, p.blocks[0].values) + "\n";
    return out + concat("result ", p.blocks[0].nodes.result);
}
}  // namespace

TEST_CASE("fold: a chain of known factors becomes one") {
    CHECK(folded(graph_of<chain>) == "0 input [tokens, width=4]\n"
                                     "1 multiply [tokens, width=4] <- 0, 30\n"
                                     "2 silu [tokens, width=4] <- 1\n"
                                     "result 2");
}
TEST_CASE("fold: a product by one goes, also where it is the result") {
    CHECK(folded(graph_of<by_one>) == "0 input [tokens, width=4]\n"
                                      "1 silu [tokens, width=4] <- 0\n"
                                      "result 1");
}
TEST_CASE("fold: a factor that somebody else reads stays") {
    CHECK(folded(graph_of<read_twice>) == "0 input [tokens, width=4]\n"
                                          "1 multiply [tokens, width=4] <- 0, 2\n"
                                          "2 multiply [tokens, width=4] <- 1, 3\n"
                                          "3 add [tokens, width=4] <- 2 1\n"
                                          "result 3");
}
TEST_CASE("fold: what neither the result nor a cache needs goes") {
    CHECK(folded(graph_of<unread>) == "0 input [tokens, width=4]\n"
                                      "1 gelu_tanh [tokens, width=4] <- 0\n"
                                      "result 1");
}
TEST_CASE("fold: verify names a node that reads a later one") {
    bound_program p = program_of(graph_of<chain>, 5);
    p.blocks[0].nodes.nodes[1].in[0] = 2;
    CHECK_THROWS_WITH_AS(
        verify(p), "fold: block: 1 multiply reads node 2: expected an earlier node",
        internal_error);
}
