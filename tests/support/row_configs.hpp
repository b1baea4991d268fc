// Row kernels as the models ask for them, for tests and benchmarks.
#pragma once
#include "codegen/row/config.hpp"

namespace g4::testing {

using g4k::row_chain;
using g4k::row_config;
using g4k::source_kind;
using g4k::step;
using g4k::step_op;
using g4k::target_kind;

constexpr step norm(int value, int weight) {
    return {.op = step_op::rms_norm, .left = value, .number = 1e-6f, .vector = weight};
}
constexpr step turned(int value) { return {.op = step_op::rope, .left = value}; }
constexpr step sum_of(int left, int right) {
    return {.op = step_op::add, .left = left, .right = right};
}
constexpr step times(int value, float number) {
    return {.op = step_op::multiply, .left = value, .number = number};
}

/// The same for many rows.
constexpr row_config many(row_config config) {
    config.many_rows = true;
    return config;
}

/// Behind a projection onto the residual: norm, add, publish, and the norm of the next block.
constexpr row_config residual_and_norm(int width) {
    return {.chain_count = 1,
            .chains = {{.width = width,
                        .parts = 1,
                        .source_count = 2,
                        .sources = {source_kind::sums, source_kind::bf16},
                        .steps = {norm(0, 0), sum_of(2, 1), norm(3, 1)},
                        .target_count = 2,
                        .targets = {{3, target_kind::bf16}, {4, target_kind::bf16}}}}};
}

/// The end of a layer: as above, with the layer's number before it is published.
constexpr row_config layer_end(int width) {
    row_config out = residual_and_norm(width);
    row_chain& chain = out.chains[0];
    chain.steps[2] = {.op = step_op::scale, .left = 3, .vector = 2};
    chain.steps[3] = norm(4, 1);
    chain.targets[0].value = 4;
    chain.targets[1].value = 5;
    return out;
}

constexpr row_config embedding(int width) {
    return {.chain_count = 1,
            .chains = {{.width = width,
                        .parts = 1,
                        .source_count = 1,
                        .sources = {source_kind::table},
                        .steps = {times(0, 50.5f), norm(1, 0)},
                        .target_count = 2,
                        .targets = {{1, target_kind::bf16}, {2, target_kind::bf16}}}}};
}

/// Of all layers at once: a projection's norm and the table's row.
constexpr row_config layer_inputs(int width, int layers) {
    return {.chain_count = 1,
            .chains = {{.width = width,
                        .parts = layers,
                        .source_count = 2,
                        .sources = {source_kind::sums, source_kind::table},
                        .steps = {times(0, 0.02f), norm(2, 0), times(1, 16), sum_of(3, 4),
                                  times(5, 0.70710678f)},
                        .target_count = 1,
                        .targets = {{6, target_kind::bf16}}}}};
}

/// Queries to a buffer, keys and values to the cache.
constexpr row_config heads(int head_dim, int q_heads, int kv_heads, int page_tokens) {
    const row_chain turning{.width = head_dim,
                            .parts = q_heads,
                            .source_count = 1,
                            .sources = {source_kind::sums},
                            .steps = {norm(0, 0), turned(1)},
                            .target_count = 1,
                            .targets = {{2, target_kind::bf16}}};
    row_config out{
        .chain_count = 3, .chains = {turning, turning, turning}, .page_tokens = page_tokens};
    out.chains[1].parts = out.chains[2].parts = kv_heads;
    out.chains[1].targets[0].kind = target_kind::key;
    out.chains[2].steps[0].vector = -1;
    out.chains[2].steps[1] = {};
    out.chains[2].targets[0] = {1, target_kind::value};
    return out;
}

/// The middle of a gated block, where its linear left sums.
constexpr row_config gate(int width) {
    return {.chain_count = 1,
            .chains = {{.width = width,
                        .parts = 1,
                        .source_count = 2,
                        .sources = {source_kind::sums, source_kind::sums},
                        .steps = {{.op = step_op::gelu_tanh, .left = 0},
                                  {.op = step_op::mul, .left = 2, .right = 1}},
                        .target_count = 1,
                        .targets = {{3, target_kind::bf16}}}}};
}

/// Every step and kind of source and target that the others leave out.
constexpr row_config everything(int width, int parts) {
    return {
        .chain_count = 1,
        .chains = {
            {.width = width,
             .parts = parts,
             .source_count = 3,
             .sources = {source_kind::bf16, source_kind::f32, source_kind::sums},
             .steps = {{.op = step_op::gelu_tanh, .left = 0},
                       {.op = step_op::mul, .left = 3, .right = 1},
                       {.op = step_op::silu, .left = 4},
                       {.op = step_op::softcap, .left = 2, .number = 1.5f},
                       {.op = step_op::add, .left = 5, .right = 6},
                       norm(7, -1)},
             .target_count = 3,
             .targets = {{8, target_kind::f32}, {7, target_kind::bf16}, {4, target_kind::f32}}}}};
}

}  // namespace g4::testing
