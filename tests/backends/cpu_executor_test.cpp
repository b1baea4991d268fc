// The CPU executor against the reference: two models, chunks, batches, skipped rows, and refusals.
#include "tests/support/lockstep.hpp"
#include "g4/backends/cpu/executor.hpp"
#include "g4/backends/reference/backend.hpp"
#include "g4/engine/kv_sizing.hpp"
#include "g4/passes/pipeline.hpp"
#include "models/gemma4/model.hpp"
#include "tests/support/llama_style.hpp"
#include <deque>
#include <doctest/doctest.h>
#include <random>

namespace {
using namespace g4;

/// Random weights of a program: every third linear of a layer stays plain, as files may have it.
struct random_weights {
    std::deque<std::vector<std::uint32_t>> memory;
    weight_table table;

    explicit random_weights(const bound_program& p, bool int4) {
        std::mt19937 random{99};
        std::normal_distribution<float> normal;
        int linears = 0;
        for (const declared_tensor& t : declared_tensors(p)) {
            weight w;
            w.rows = t.size.rows;
            w.columns = t.size.columns;
            const std::size_t count = static_cast<std::size_t>(w.rows * w.columns);
            std::vector<std::uint32_t>& words = memory.emplace_back(count / 2 + 1);
            w.data = reinterpret_cast<const std::byte*>(words.data());
            if (t.linear && int4 && t.name.find("layers.") != t.name.npos && ++linears % 3 != 0) {
                w.stored = weight::form::int4;
                w.group = 32;
                for (std::uint32_t& word : words) word = static_cast<std::uint32_t>(random());
                const float scale = 0.25f / std::sqrt(static_cast<float>(w.columns));
                auto& scales = memory.emplace_back(count / 32 + 1, 0u);
                for (std::size_t i = 0; i < count / 32; ++i) {
                    const std::uint16_t bits = float_to_f16(scale * (normal(random) > 0 ? 1 : -1));
                    std::memcpy(reinterpret_cast<std::byte*>(scales.data()) + 2 * i, &bits, 2);
                }
                w.scales = reinterpret_cast<const std::byte*>(scales.data());
            } else {
                const bool vector = w.columns == 1;
                // Scores of unit queries and keys are as large as a head is long, and a sharp
                // softmax amplifies every rounding: these make them about one.
                const bool of_scores =
                    t.name.find("q_norm") != t.name.npos || t.name.find("k_norm") != t.name.npos;
                const float mean = of_scores ? 0.35f : 1.0f;
                const float spread = 1.0f / std::sqrt(static_cast<float>(w.columns));
                for (std::size_t i = 0; i < count; ++i) {
                    const float value =
                        vector ? mean * (1.0f + 0.1f * normal(random)) : spread * normal(random);
                    const std::uint16_t bits = float_to_bf16(value);
                    std::memcpy(reinterpret_cast<std::byte*>(words.data()) + 2 * i, &bits, 2);
                }
            }
            table[t.name] = w;
        }
    }
};

gemma4::text_config small_gemma() {
    gemma4::text_config c = gemma4::e4b;
    c.vocab_size = c.vocab_size_per_layer_input = 131;
    c.hidden_size = 96;
    c.hidden_size_per_layer_input = 32;
    c.intermediate_size = 160;
    c.num_hidden_layers = 6;
    c.num_kv_shared_layers = 2;
    c.num_attention_heads = 4;
    c.num_key_value_heads = 2;
    c.head_dim = 32;
    c.global_head_dim = 64;
    c.sliding_window = 20;
    c.layer_types = gemma4::layer_pattern(3, 6);
    return c;
}
llama::model_config small_llama() {
    return {.vocab_size = 97,
            .hidden_size = 64,
            .intermediate_size = 128,
            .num_hidden_layers = 3,
            .num_attention_heads = 6,
            .num_key_value_heads = 2,
            .head_dim = 32,
            .rope_theta = 1e4f,
            .rms_norm_eps = 1e-5f};
}

struct subject {
    bound_program program;
    plan planned;
    random_weights weights;

    subject(bound_program bound, bool int4)
        : program{bound}, planned{compile_plan(std::move(bound))}, weights{program, int4} {}

    cpu::cpu_options options(std::int32_t rows, std::int32_t sequences) const {
        cpu::cpu_options out;
        out.rows = rows;
        out.wanted = rows;
        out.sequences = sequences;
        out.page_tokens = 8;
        out.threads = 3;
        for (const kv_reservation& k : reserve_kv(planned, {1e8, 1024, sequences, rows, 8}))
            out.pages.push_back(k.pages);
        return out;
    }
    std::unique_ptr<executor> start(const cpu::cpu_options& options) const {
        return cpu::make_cpu_executor(planned, weights.table, options);
    }
    std::size_t vocabulary() const {
        return static_cast<std::size_t>(
            program.values_of(program.calls.back())
                .of[program.nodes_of(program.calls.back())
                        .nodes[program.nodes_of(program.calls.back()).result]
                        .result.axes[1]]);
    }
};
subject gemma_style(bool int4) { return {bind_program<gemma4::text_model>(small_gemma()), int4}; }
subject llama_style(bool int4) { return {bind_program<llama::model>(small_llama()), int4}; }

std::vector<std::int32_t> random_tokens(std::size_t count, std::size_t vocabulary) {
    std::mt19937 random{5};
    std::vector<std::int32_t> out(count);
    for (std::int32_t& id : out) id = static_cast<std::int32_t>(random() % vocabulary);
    return out;
}

/// Log-probabilities [row][token] of the last `wanted` rows of each chunk, for the last of `count`
/// equal sequences.
std::vector<std::vector<float>> run(executor& runs_on, const std::vector<std::int32_t>& prompt,
                                    std::size_t chunk, int count, std::int32_t wanted) {
    testing::lockstep_batch batch{runs_on, count, static_cast<std::int32_t>(prompt.size()) + 1};
    const auto vocabulary = static_cast<std::size_t>(runs_on.reserved().vocabulary);
    std::vector<std::vector<float>> out;
    for (std::size_t done = 0; done < prompt.size(); done += chunk) {
        const std::size_t rows = std::min(chunk, prompt.size() - done);
        const std::vector<std::int32_t> part{
            prompt.begin() + static_cast<std::ptrdiff_t>(done),
            prompt.begin() + static_cast<std::ptrdiff_t>(done + rows)};
        const std::vector<std::vector<std::int32_t>> all(static_cast<std::size_t>(count), part);
        const step_result result =
            batch.run(all, wanted, {.top_logprobs = static_cast<std::int32_t>(vocabulary)});
        const std::size_t each = std::min(static_cast<std::size_t>(wanted), rows);
        const std::size_t first = (static_cast<std::size_t>(count) - 1) * each;
        for (std::size_t r = 0; r < each; ++r) {
            std::vector<float>& row = out.emplace_back(vocabulary);
            for (const token_logprob& t : result.top.subspan((first + r) * vocabulary, vocabulary))
                row[static_cast<std::size_t>(t.token)] = t.logprob;
        }
    }
    return out;
}

std::vector<std::vector<float>> reference_logprobs(const subject& s,
                                                   const std::vector<std::int32_t>& prompt) {
    const reference::backend backend{s.program, s.weights.table};
    reference::sequence sequence;
    const reference::activation logits = backend.run(sequence, prompt);
    std::vector<std::vector<float>> out;
    for (std::int64_t r = 0; r < logits.rows; ++r) {
        double sum = 0;
        for (const float l : logits.row(r)) sum += std::exp(static_cast<double>(l));
        std::vector<float>& row = out.emplace_back();
        for (const float l : logits.row(r))
            row.push_back(static_cast<float>(static_cast<double>(l) - std::log(sum)));
    }
    return out;
}

double mean_error(const std::vector<std::vector<float>>& a,
                  const std::vector<std::vector<float>>& b) {
    REQUIRE(a.size() == b.size());
    double sum = 0, count = 0;
    for (std::size_t r = 0; r < a.size(); ++r)
        for (std::size_t i = 0; i < a[r].size(); ++i, ++count)
            sum += std::abs(static_cast<double>(a[r][i]) - static_cast<double>(b[r][i]));
    return sum / count;
}
}  // namespace

TEST_CASE("cpu executor: two models agree with the reference, plain and int4 and mixed") {
    // Logits of about one; each layer rounds its residual to bf16 three times, 2^-9 on average a
    // third of that, over six layers: about 0.01.
    for (const bool int4 : {false, true})
        for (const subject& s : {gemma_style(int4), llama_style(int4)}) {
            const std::vector<std::int32_t> prompt = random_tokens(90, s.vocabulary());
            const auto runs = s.start(s.options(100, 2));
            CHECK(mean_error(run(*runs, prompt, 90, 1, 90), reference_logprobs(s, prompt)) < 0.012);
        }
}

TEST_CASE("cpu executor: chunks, batches and instruction sets do not change a row's bits") {
    for (const subject& s : {gemma_style(true), llama_style(true)}) {
        const std::vector<std::int32_t> prompt = random_tokens(70, s.vocabulary());
        cpu::cpu_options options = s.options(300, 4);
        const auto runs = s.start(options);
        const auto whole = run(*runs, prompt, 70, 1, 70);
        for (const std::size_t chunk : {std::size_t{1}, std::size_t{7}, std::size_t{64}})
            CHECK(run(*runs, prompt, chunk, 1, 70) == whole);
        for (const int count : {2, 3, 4}) CHECK(run(*runs, prompt, 70, count, 70) == whole);
        options.threads = 1;
        CHECK(run(*s.start(options), prompt, 33, 2, 70) == whole);
    }
}

TEST_CASE("cpu executor: rows that nobody wants are skipped, and the wanted ones keep their bits") {
    for (const subject& s : {gemma_style(true), llama_style(false)}) {
        const std::vector<std::int32_t> prompt = random_tokens(64, s.vocabulary());
        const auto runs = s.start(s.options(200, 3));
        const auto all = run(*runs, prompt, 16, 1, 16);
        const auto last = run(*runs, prompt, 16, 3, 2);
        REQUIRE(last.size() == 8);
        for (std::size_t i = 0; i < last.size(); ++i)
            CHECK(last[i] == all[i / 2 * 16 + 14 + i % 2]);
        CHECK(run(*runs, prompt, 16, 1, 0).empty());
    }
}

TEST_CASE("cpu executor: a step longer than one run of a stage gives the same bits") {
    const subject s = gemma_style(true);
    const std::vector<std::int32_t> prompt = random_tokens(900, s.vocabulary());
    const auto runs = s.start(s.options(900, 1));
    CHECK(run(*runs, prompt, 900, 1, 3) == [&] {
        auto rows = run(*runs, prompt, 897, 1, 1);
        rows = run(*runs, prompt, 450, 1, 3);
        return std::vector<std::vector<float>>{rows.end() - 3, rows.end()};
    }());
}

TEST_CASE("cpu executor: every instruction set of this machine agrees with the reference") {
    const subject s = gemma_style(true);
    const std::vector<std::int32_t> prompt = random_tokens(40, s.vocabulary());
    const auto exact = reference_logprobs(s, prompt);
    for (const cpu::isa most : {cpu::isa::portable, cpu::isa::avx2, cpu::isa::avx512}) {
        if (most > cpu::best_isa()) continue;
        cpu::cpu_options options = s.options(64, 1);
        options.most = most;
        CHECK(mean_error(run(*s.start(options), prompt, 40, 1, 40), exact) < 0.012);
    }
    cpu::cpu_options options = s.options(64, 1);
    options.activation_bits = 8;  // 0.6 % of each linear's output on top
    CHECK(mean_error(run(*s.start(options), prompt, 40, 1, 40), exact) < 0.05);
    options.activation_bits = 16;
    options.copy_bytes = 0;  // plain linears from the file
    CHECK(run(*s.start(options), prompt, 40, 1, 40) ==
          run(*s.start(s.options(64, 1)), prompt, 40, 1, 40));
}

TEST_CASE("cpu executor: a token that the last step samples may be named before it is known") {
    const subject s = llama_style(false);
    const auto runs = s.start(s.options(8, 2));
    const std::vector<std::int32_t> pages{0, 1};
    const std::vector<std::int32_t> prompt{3, 5, 7}, sampled{sampled_by_last_step(0)};
    sequence_rows rows{.first_row = 0, .row_count = 3, .past = 0, .slot = 1, .lists = {}};
    const wanted_row last{.row = 2, .how = {}};
    const auto step_of = [&](const std::vector<std::int32_t>& ids, const wanted_row& want) {
        return step{.token_ids = ids,
                    .sequences = {&rows, 1},
                    .pages = pages,
                    .wanted = {&want, 1},
                    .started = {},
                    .biases = {}};
    };
    runs->submit(step_of(prompt, last));
    rows = {.first_row = 0, .row_count = 1, .past = 3, .slot = 1, .lists = {}};
    const wanted_row only{.row = 0, .how = {}};
    runs->submit(step_of(sampled, only));  // two steps before the first wait
    const std::int32_t first = runs->wait().sampled[0].token;
    const std::int32_t second = runs->wait().sampled[0].token;

    const std::vector<std::int32_t> known{first};
    runs->submit(step_of(known, only));
    CHECK(runs->wait().sampled[0].token == second);
}

TEST_CASE("cpu executor: what it cannot do is refused in words, and a failure is remembered") {
    const subject s = gemma_style(false);
    cpu::cpu_options options = s.options(8, 1);
    options.pages.pop_back();
    CHECK_THROWS_WITH_AS(s.start(options),
                         "cpu: pages: expected a number for each of 2 kinds of cache, got 1",
                         input_error);
    options = s.options(8, 1);
    options.activation_bits = 4;
    CHECK_THROWS_WITH_AS(s.start(options), "cpu: activation bits: expected 8 or 16, got 4",
                         input_error);
    const auto runs = s.start(s.options(8, 1));
    CHECK_THROWS_AS(run(*runs, random_tokens(9, 100), 9, 1, 1), device_error);
    CHECK_THROWS_AS(run(*runs, random_tokens(2, 100), 2, 1, 1), device_error);
}
