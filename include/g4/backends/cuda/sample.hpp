// How tokens are chosen on the device: which kernels run in which order, and what they keep.
#pragma once
#include "codegen/sample/config.hpp"
#include "g4/core/error.hpp"
#include "g4/core/reflect.hpp"
#include "g4/emit/request.hpp"
#include "g4/gate/step.hpp"
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

BOOST_HANA_ADAPT_STRUCT(g4k::sample_config, tiles, candidates, bins, threads, shared_bytes);

namespace g4::cuda {

static_assert(sizeof(g4k::sample_choice) == sizeof(token_logprob));

/// What an executor reserves for.
struct sample_sizes {
    std::int32_t vocabulary = 0, slots = 0;
    std::int32_t rows = 0;    // wanted rows of a step, at most
    std::int32_t biases = 0;  // of a step, at most
};

/// One launch of a sequence; they run one after the other.
struct sample_launch {
    kernel_request request;
    launch_shape shape;
};

/// Whether a row needs no more than the greedy kernel: it takes the greatest logit or a given
/// token, and reports nothing.
inline bool takes_greatest(const wanted_row& want) {
    const sampling& how = want.how;
    if (how.top_logprobs >= 0) return false;
    return want.given >= 0 ||
           (how.temperature == 0 && how.bias_count == 0 && how.repetition_penalty == 1 &&
            how.presence_penalty == 0 && how.frequency_penalty == 0);
}

/// The sampling kernels for one vocabulary.
///   choose  [greedy kernel], when every active row has temperature 0 or a given token and neither
///           biases, penalties nor log-probabilities; otherwise [pass over the logits, choice]. The
///           same launches for all steps of a bucket of rows: what rows want, they read from `how`.
///   start   a sequence takes a slot: clear once, then mark for each piece of its prompt that was
///           uploaded; ahead of the step with its first rows
/// A slot may have one chosen row in a step, besides given ones.
class sample_kernels {
  public:
    /// Errors: input_error for a vocabulary that no variant takes.
    explicit sample_kernels(std::int32_t vocabulary, g4k::sample_config config = {})
        : vocabulary_{vocabulary}, config_{config} {
        for (; tiles() > config_.tiles; config_.tiles *= 2)
            config_.shared_bytes += config_.tiles * 16 + config_.tiles / 8;  // of sample_shared
        if (config_.shared_bytes > 99 * 1024 || vocabulary < 1)
            throw input_error{"sampling: expected a vocabulary of 1 to 524288, got ", vocabulary};
    }

    /// How many alternatives a row may report.
    std::int32_t max_top_logprobs() const { return std::min(vocabulary_, config_.candidates); }

    std::vector<sample_launch> choose(std::int32_t rows, bool all_greedy) const {
        const auto height = static_cast<unsigned>(rows);
        if (all_greedy)
            return {{request("greedy", "choose_greatest", "256"),
                     {.grid_x = blocks(rows, greedy_stretch),
                      .grid_y = height,
                      .threads = 256,
                      .shared_bytes = 33 * 8}}};
        return {{request("scan", "scan_logits", "256"),
                 {.grid_x = blocks(rows, scan_stretch), .grid_y = height, .threads = 256}},
                {request("choose", "choose_tokens", std::to_string(config_.threads) + ", 1"),
                 {.grid_x = height,
                  .threads = static_cast<unsigned>(config_.threads),
                  .shared_bytes = static_cast<unsigned>(config_.shared_bytes)}}};
    }
    sample_launch clear() const {
        return {slot_request("clear_slot"), {.grid_x = 32, .threads = 256}};
    }
    sample_launch mark(std::int32_t tokens) const {
        return {slot_request("mark_prompt"),
                {.grid_x = static_cast<unsigned>(std::clamp((tokens + 255) / 256, 1, 64)),
                 .threads = 256}};
    }

    /// Zero it once, before the first step. Alignment: 16.
    std::size_t scratch_bytes(const sample_sizes& sizes) const {
        return scratch(sizes, nullptr).second;
    }
    g4k::sample_scratch scratch_at(const sample_sizes& sizes, void* begin) const {
        return scratch(sizes, begin).first;
    }
    /// Holds what it likes until a slot is cleared. Alignment: 16.
    std::size_t slot_bytes(const sample_sizes& sizes) const { return slots(sizes, nullptr).second; }
    g4k::sample_slots slots_at(const sample_sizes& sizes, void* begin) const {
        return slots(sizes, begin).first;
    }

    const g4k::sample_config& config() const { return config_; }

  private:
    static constexpr int greedy_stretch = 4096, scan_stretch = 8 * g4k::sample_tile;
    /// As many as keep a large card busy: more would only start and end.
    static constexpr int enough_blocks = 2048;

    int tiles() const { return (vocabulary_ + g4k::sample_tile - 1) / g4k::sample_tile; }
    unsigned blocks(std::int32_t rows, int stretch) const {
        const int most = (vocabulary_ + stretch - 1) / stretch;
        const int enough = (enough_blocks + rows - 1) / std::max(rows, 1);
        return static_cast<unsigned>(std::min(most, std::max(enough, 1)));
    }
    kernel_request request(const std::string& file, const std::string& body,
                           const std::string& bounds) const {
        return text_of(file, "g4_sample_" + file, "sample_args", body + "<config>", bounds,
                       "constexpr sample_config config" + literal(config_) + ";\n");
    }
    static kernel_request slot_request(const std::string& body) {
        return text_of("slots", "g4_sample_" + body, "slot_args", body, "256", "");
    }
    static kernel_request text_of(const std::string& file, const std::string& name,
                                  const std::string& args, const std::string& body,
                                  const std::string& bounds, const std::string& config) {
        return {name, "#include \"codegen/sample/" + file + ".cuh\"\nusing namespace g4k;\n" +
                          config + "extern \"C\" __global__ void __launch_bounds__(" + bounds +
                          ") " + name + "(const __grid_constant__ " + args + " args) {\n    " +
                          body + "(args);\n}\n"};
    }

    /// Lays arrays one behind the other from `begin`; null: only to see how far they reach.
    struct carver {
        char* begin;
        std::size_t used = 0;
        template <class T> void give(T*& to, std::size_t count) {
            to = begin == nullptr ? nullptr : reinterpret_cast<T*>(begin + used);
            used += (count * sizeof(T) + 15) / 16 * 16;
        }
    };
    std::pair<g4k::sample_scratch, std::size_t> scratch(const sample_sizes& sizes,
                                                        void* begin) const {
        carver from{static_cast<char*>(begin)};
        const auto rows = static_cast<std::size_t>(sizes.rows);
        const std::size_t all = rows * static_cast<std::size_t>(config_.tiles);
        g4k::sample_scratch out{};
        from.give(out.raw_greatest, all);
        from.give(out.greatest, all);
        from.give(out.raw_sum, all);
        from.give(out.sum, all);
        from.give(out.bias_raw, static_cast<std::size_t>(sizes.biases));
        from.give(out.best, all);
        from.give(out.tickets, rows);
        return {out, from.used};
    }
    std::pair<g4k::sample_slots, std::size_t> slots(const sample_sizes& sizes, void* begin) const {
        carver from{static_cast<char*>(begin)};
        const auto vocabulary = static_cast<std::size_t>(vocabulary_);
        const auto count = static_cast<std::size_t>(sizes.slots);
        const std::size_t counts = (vocabulary + 7) / 8 * 8, words = (vocabulary + 127) / 128 * 4;
        g4k::sample_slots out{};
        from.give(out.counts, count * counts);
        from.give(out.prompts, count * words);
        out.count_stride = static_cast<long long>(counts);
        out.prompt_stride = static_cast<long long>(words);
        return {out, from.used};
    }

    std::int32_t vocabulary_;
    g4k::sample_config config_;
};

}  // namespace g4::cuda
