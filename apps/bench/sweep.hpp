// Times decode steps at many contexts and batches, and prompts of many lengths, on one start.
#pragma once
#include "apps/bench/latency.hpp"
#include "apps/bench/work.hpp"
#include "g4/core/error.hpp"
#include <string>

namespace g4::apps {

struct sweep_sizes {
    std::vector<int> contexts, batches, prompts;
    int repeats = 3;            // of each prompt
    int in_flight = 1;          // steps
    int seed = 0;
    double max_prefill_tokens = 0;  // of all sequences of one context

    static constexpr int uncounted_steps = 4, counted_steps = 48;
    /// Positions of the longest sequence.
    int longest() const {
        return std::max(*std::max_element(contexts.begin(), contexts.end()) + uncounted_steps +
                            counted_steps,
                        *std::max_element(prompts.begin(), prompts.end())) + 1;
    }
};

struct decode_point {
    int context = 0, batch = 0;
    latency_result times{};
    double bytes = 0;  // of a step
};
struct prefill_point {
    int length = 0;
    double seconds = 0, fastest = 0;
    prefill_operations work{};
};
struct sweep_result {
    std::vector<decode_point> decodes;
    std::vector<prefill_point> prefills;
    std::vector<std::string> left_out;  // in words
    int failed_rows = 0;
};

/// What the plan of a model says of a work.
struct planned_work {
    const plan& planned;
    const stored_bytes& bytes;
};

class sweep {
  public:
    sweep(executor& runs_on, const planned_work& work, sweep_sizes sizes)
        : executor_{runs_on}, work_{work}, sizes_{std::move(sizes)} {}

    sweep_result run(const progress& report) {
        const int all = static_cast<int>(sizes_.prompts.size() + sizes_.contexts.size());
        int done = 0;
        for (const int length : sizes_.prompts) {
            report(done++, all);
            time_prompt(length);
        }
        for (const int context : sizes_.contexts) {
            report(done++, all);
            time_context(context);
        }
        report(all, all);
        return std::move(out_);
    }

  private:
    /// One prompt alone, to its token.
    void time_prompt(int length) {
        std::vector<double> times;
        const bool first = out_.prefills.empty();  // the first run of all loads what is loaded late
        for (int repeat = first ? -1 : 0; repeat < sizes_.repeats; ++repeat) {
            lockstep_batch batch{executor_.reserved(), 1, length + 1};
            if (batch.size() == 0) {
                out_.left_out.push_back(concat("prompt ", length, ": no room in the kv cache"));
                return;
            }
            step_line line{executor_, sizes_.in_flight};
            const double seconds = time_prefill(batch, line, prompts(1, length, repeat));
            if (repeat >= 0) times.push_back(seconds);
            out_.failed_rows += line.failed_rows();
        }
        out_.prefills.push_back({length, median(times),
                                 *std::min_element(times.begin(), times.end()),
                                 operations_of(work_.planned, work_.bytes, 1, length)});
    }

    /// Fills the caches once for the largest batch; smaller ones decode with its first sequences.
    void time_context(int context) {
        const int wish = *std::max_element(sizes_.batches.begin(), sizes_.batches.end());
        const int allowed = std::min(
            wish, static_cast<int>(std::min(1e9, sizes_.max_prefill_tokens / context)));
        const int filled = largest_batch(allowed);
        lockstep_batch batch{executor_.reserved(), filled,
                             context + sizes_.uncounted_steps + sizes_.counted_steps, true};
        const int fits = largest_batch(batch.size());
        for (const int b : sizes_.batches)
            if (b > fits)
                out_.left_out.push_back(
                    concat("context ", context, ", batch ", b, ": ",
                           b > allowed ? concat("a prefill of ", context * std::int64_t{b},
                                                " tokens, more than --max-prefill-tokens")
                                       : concat("the kv cache has room for ", batch.size())));
        if (fits == 0) return;
        step_line line{executor_, sizes_.in_flight};
        const auto filling = prompts(fits, context, 0);
        time_prefill(batch, line, filling);
        for (const int b : sizes_.batches)
            if (b <= fits) time_batch(batch, line, context, b, last_tokens(filling));
        out_.failed_rows += line.failed_rows();
    }
    void time_batch(lockstep_batch& batch, step_line& line, int context, int count,
                    const token_list& tokens) {
        batch.rewind(context);
        const decode_times times = time_decode(batch, line, count, tokens, sizes_.uncounted_steps,
                                               sizes_.counted_steps);
        decode_point point{.context = context, .batch = count};
        keep_spread(point.times, times.seconds);
        point.bytes = decode_bytes(work_.planned, work_.bytes, count, times.context);
        out_.decodes.push_back(point);
    }

    /// The greatest of the batches that is not above `limit`; 0: none.
    int largest_batch(int limit) const {
        int out = 0;
        for (const int b : sizes_.batches)
            if (b <= limit) out = std::max(out, b);
        return out;
    }
    std::vector<token_list> prompts(int count, int length, int repeat) const {
        return random_prompts(count, length, executor_.reserved().vocabulary,
                              sizes_.seed + repeat);
    }

    executor& executor_;
    planned_work work_;
    sweep_sizes sizes_;
    sweep_result out_;
};

}  // namespace g4::apps
