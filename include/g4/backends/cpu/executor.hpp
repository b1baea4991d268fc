// The executor of the CPU back end: runs the stages of a plan in order, each over all threads.
#pragma once
#include "g4/backends/cpu/pass_builder.hpp"
#include "g4/backends/cpu/run_attention.hpp"
#include "g4/backends/cpu/run_linears.hpp"
#include "g4/gate/sampler.hpp"
#include <deque>
#include <memory>
#include <string>

namespace g4::cpu {

/// Steps run inside submit(). Every byte is reserved when it is made, and logged.
class cpu_executor final : public executor {
  public:
    cpu_executor(plan p, const weight_table& weights, const cpu_options& options)
        : plan_{std::move(p)},
          options_{options},
          reserved_{capacity_of(plan_, options)},
          pool_{options.threads > 0 ? options.threads : usable_processors()},
          kernels_{choose_kernels(options)},
          weights_{plan_, weights, pool_, options.copy_bytes},
          passes_{build_passes(plan_, weights_, ropes_, factors_)},
          memory_{plan_, passes_, reserved_, pool_.threads()},
          sampler_{reserved_.vocabulary, reserved_.sequences} {
        ropes_.reserve(reserved_.rows);
        check_heads();
        log_memory();
    }

    const capacity& reserved() const override { return reserved_; }

    void submit(const step& next) override {
        if (!failure_.empty()) throw device_error{failure_};
        G4_ASSERT(done_.size() < 2, "cpu: two steps are waiting already");
        try {
            run(next);
        } catch (const std::exception& error) {
            failure_ = concat("cpu: a step failed: ", error.what());
            throw device_error{failure_};
        }
    }
    step_result wait() override {
        if (!failure_.empty()) throw device_error{failure_};
        G4_ASSERT(!done_.empty(), "cpu: no step to wait for");
        last_ = std::move(done_.front());
        done_.pop_front();
        return {last_.sampled, last_.top};
    }

  private:
    struct finished_step {
        std::vector<token_logprob> sampled, top;
    };

    static capacity capacity_of(const plan& p, const cpu_options& options) {
        if (options.pages.size() != p.cache_groups.size())
            throw input_error{"cpu: pages: expected a number for each of ", p.cache_groups.size(),
                              " kinds of cache, got ", options.pages.size()};
        if (options.activation_bits != 8 && options.activation_bits != 16)
            throw input_error{"cpu: activation bits: expected 8 or 16, got ",
                              options.activation_bits};
        capacity out;
        out.rows = options.rows;
        out.wanted = options.wanted;
        out.sequences = options.sequences;
        out.page_tokens = options.page_tokens;
        const bound_call& last = p.program().calls.back();
        const graph& g = p.program().nodes_of(last);
        out.vocabulary = static_cast<std::int32_t>(
            elements_per_token(g.nodes[g.result].result, p.program().values_of(last)));
        for (std::size_t k = 0; k < p.cache_groups.size(); ++k) {
            const cache_group& group = p.cache_groups[k];
            const double bytes = group.bytes_per_token * group.layers * options.page_tokens;
            out.kinds.push_back({static_cast<std::int32_t>(group.window), options.pages[k],
                                 static_cast<std::int64_t>(bytes)});
        }
        return out;
    }
    void check_heads() const {
        for (const cache_layout& c : plan_.caches)
            if (c.head_dim > max_head_dim)
                throw input_error{"cpu: layer ", c.layer,  ": expected a head_dim of at most ",
                                  max_head_dim,  ", got ", c.head_dim};
    }
    void log_memory() const {
        options_.log.info("cpu: ", pool_.threads(), " threads; bytes: packed weights ",
                          weights_.bytes(), ", plain weights in the file ",
                          weights_.bytes_in_file(), ", buffers ", memory_.slot_bytes(),
                          ", kv cache ", memory_.cache_bytes(), ", scratch ",
                          memory_.scratch_bytes() + ropes_.bytes());
    }

    void run(const step& next) {
        for (const slot_start& started : next.started) sampler_.start(started);
        tables_.take(next, reserved_, tokens_);
        ropes_.fill(tables_.positions, pool_);
        const step_context context{
            kernels_, memory_, tables_, ropes_, plan_, pool_, options_.activation_bits / 8};
        for (const stage_pass& pass : passes_) run_pass(context, pass);
        sample(next);
    }
    void run_pass(const step_context& context, const stage_pass& pass) {
        const std::int32_t count = tables_.count(pass.of);
        if (count == 0) return;
        const auto step = static_cast<std::int32_t>(rows_of_run(pass, count));
        for (std::int32_t first = 0; first < count; first += step) {
            const std::int32_t last = std::min(first + step, count);
            std::vector<float*> results;
            if (pass.kind == stage_pass::anchors::linear) {
                linear_run linears{context, pass, first, last};
                linears.run();
                results = linears.results();
            } else if (pass.kind == stage_pass::anchors::attention) {
                attention_run attention{context, pass, first, last};
                attention.run();
                results = {attention.result()};
            }
            run_epilogue(context, pass, first, last, results);
        }
    }
    /// By ranges of columns where the nodes allow it, else by rows.
    void run_epilogue(const step_context& context, const stage_pass& pass, std::int32_t first,
                      std::int32_t last, const std::vector<float*>& results) {
        constexpr std::int64_t piece = 2048;
        const std::int64_t width = pass.epilogue.empty() ? 0 : pass.epilogue[0].width;
        const std::int64_t pieces = pass.by_element ? (width + piece - 1) / piece : 1;
        const auto one = [&](std::int64_t task, int thread) {
            const auto row = static_cast<std::int32_t>(task / pieces);
            float* of_row[most_anchors];
            for (std::size_t a = 0; a < results.size(); ++a)
                of_row[a] = results[a] + row * pass.anchors_in_order[a].width;
            row_place place{pass.of, first + row, of_row, memory_.scratch(thread), 0, 0};
            if (pass.by_element) {
                place.begin = task % pieces * piece;
                place.end = std::min(place.begin + piece, width);
            }
            row_runner{context, place}.run(pass.epilogue);
        };
        const std::int64_t columns = pass.by_element ? std::min(piece, width) : width;
        pool_.for_ranges((last - first) * pieces, grain_of(columns * row_operations),
                         [&](std::int64_t begin, std::int64_t end, int thread) {
                             for (; begin < end; ++begin) one(begin, thread);
                         });
    }
    void sample(const step& next) {
        finished_step out;
        tokens_.clear();
        for (std::size_t i = 0; i < next.wanted.size(); ++i) {
            const auto row = static_cast<std::size_t>(next.wanted[i].row);
            const auto sequence = static_cast<std::size_t>(tables_.sequence_of[row]);
            out.sampled.push_back(sampler_.pick(logits_of(i), next.wanted[i], next.biases,
                                                tables_.sequences[sequence].slot,
                                                tables_.positions[row], out.top));
            tokens_.push_back(out.sampled.back().token);
        }
        done_.push_back(std::move(out));
    }
    /// Row i of the step's result; a model that gives bf16 logits has them widened.
    std::span<float> logits_of(std::size_t i) {
        const placed_buffer& b = memory_.buffer(result_);
        std::byte* row = b.data + static_cast<std::int64_t>(i) * b.row_bytes;
        const auto count = static_cast<std::size_t>(reserved_.vocabulary);
        if (b.type == dtype::f32) return {reinterpret_cast<float*>(row), count};
        wide_logits_.resize(count);
        kernels_.rows->widen(row, b.type, wide_logits_.data(), reserved_.vocabulary);
        return wide_logits_;
    }
    static std::int32_t result_buffer(const plan& p) {
        const value result = computed_result(p.program());
        const auto found = std::find_if(p.buffers.begin(), p.buffers.end(), [&](const buffer& b) {
            return value{b.call, b.node} == result;
        });
        return static_cast<std::int32_t>(found - p.buffers.begin());
    }

    static constexpr std::size_t most_anchors = 16;

    plan plan_;
    std::int32_t result_ = result_buffer(plan_);
    cpu_options options_;
    capacity reserved_;
    thread_pool pool_;
    kernel_set kernels_;
    packed_weights weights_;
    rope_tables ropes_;
    norm_factors factors_;
    std::vector<stage_pass> passes_;
    arena memory_;
    host_sampler sampler_;
    step_tables tables_;
    std::vector<std::int32_t> tokens_;  // that the last step sampled
    std::deque<finished_step> done_;
    finished_step last_;
    std::vector<float> wide_logits_;
    std::string failure_;
};

/// An executor that runs `p` on the processor. `weights` and the files behind it must outlive it.
///   options.pages  how many pages of each cache group, in the plan's order
/// Errors: input_error for what the options or the weights ask and this back end cannot do.
inline std::unique_ptr<executor> make_cpu_executor(plan p, const weight_table& weights,
                                                   const cpu_options& options) {
    return std::make_unique<cpu_executor>(std::move(p), weights, options);
}

}  // namespace g4::cpu
