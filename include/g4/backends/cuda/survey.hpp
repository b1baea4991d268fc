// What a plan will launch, found by a dry run without a device: its kernels, and the most scratch.
#pragma once
#include "g4/backends/cuda/lower.hpp"
#include "g4/backends/cuda/merge_rows.hpp"
#include "g4/backends/cuda/step_launches.hpp"
#include "g4/gate/executor.hpp"

namespace g4::cuda {

/// Of the largest devices of an architecture ("sm_90a"): for kernels that are compiled elsewhere.
/// Errors: input_error for a name that is none.
inline device_target target_of(const std::string& arch) {
    struct known { std::string_view arch; device_target target; };
    constexpr known devices[]{{"sm_80", {8, 108, 2039}},    {"sm_86", {8, 84, 936}},
                              {"sm_89", {8, 128, 1008}},    {"sm_90a", {9, 132, 3352}},
                              {"sm_100a", {10, 148, 8000}}, {"sm_120", {12, 170, 1792}}};
    for (const known& d : devices)
        if (d.arch == arch) return d.target;
    throw input_error{"--arch: expected sm_80, sm_86, sm_89, sm_90a, sm_100a or sm_120, got \"",
                      arch, "\""};
}

/// The plan as it is lowered for a target, and everything that is known of it without memory.
class survey {
  public:
    static constexpr std::int32_t row_biases = 2048;  // of one wanted row

    survey(const plan& planned, const weight_table& weights, const cuda_options& options,
           const device_target& target)
        : plan_{planned}, options_{options}, target_{target} {
        prepare();
        gather(weights);
    }

    std::int32_t max_biases() const { return reserved_.sequences * row_biases; }  // of a step
    const lowered_plan& lowered() const { return lowered_; }
    const capacity& reserved() const { return reserved_; }  // kinds are left empty
    const std::vector<std::int32_t>& buckets() const { return buckets_; }
    const tile_rows& tiles() const { return tiles_; }
    const sample_kernels& sampler() const { return *sampler_; }
    const scratch_needs& needs() const { return needs_; }
    bool wgmma() const { return wgmma_; }
    bool copies() const { return copies_; }
    kernel_set& kernels() { return kernels_; }
    launch_context context(const plan_addresses& at, const device* on) {
        return {plan_, lowered_, at, kernels_, on, target_.multiprocessors, wgmma_,
                target_.major >= 9 && options_.hopper, target_.memory_gigabytes_per_second,
                options_.page_tokens, options_.longest};
    }

    /// Pages aside, which depend on the memory that is left.
    step_sizes largest_step() const {
        step_sizes out{reserved_.rows, reserved_.wanted, reserved_.sequences, reserved_.rows, {},
                       max_biases(), 0};
        for (int k = 0; k < max_tile_kinds; ++k)
            if (tiles_.of[k] > 0)
                out.tiles[k] = reserved_.rows / tiles_.of[k] + reserved_.sequences;
        return out;
    }
    step_shape bucket_shape(std::int32_t rows, bool greedy) const {
        step_shape out;
        out.sizes = {rows, rows, rows, rows, {}, 0, 0};
        out.decode = true;
        out.greedy = greedy;
        return out;
    }

    /// Null wherever nothing depends on the address.
    plan_addresses no_addresses(const weight_table& weights) const {
        static const g4k::bf16_bits somewhere = 0;  // only whether there is a matrix decides
        plan_addresses out;
        out.buffers = unplaced_buffers(plan_);
        for (const cache_layout& c : plan_.caches)
            out.caches.push_back({nullptr, 0, 0, static_cast<int>(c.kind)});
        out.pool_bytes.resize(plan_.cache_groups.size());
        out.matrices = matrix_forms(lowered_, weights);
        for (device_matrix& m : out.matrices)
            if (copies_ || m.form.form == g4k::weight_form::plain_bf16) m.plain = &somewhere;
        out.tables.resize(lowered_.tables.size());
        out.table_strides.resize(lowered_.tables.size());
        out.ropes.resize(lowered_.ropes.size());
        out.frequencies.resize(lowered_.ropes.size());
        return out;
    }

  private:
    void prepare() {
        lowered_ = lower(plan_);
        merge_rows(lowered_);
        wgmma_ = options_.hopper && target_.major == 9;
        copies_ = wgmma_ && options_.unpacked_copy;
        tiles_ = tile_rows_of(lowered_, wgmma_, options_.page_tokens);
        reserved_.rows = options_.rows;
        reserved_.wanted = std::min(options_.wanted, options_.rows);
        reserved_.sequences = options_.sequences;
        reserved_.page_tokens = options_.page_tokens;
        const bound_call& last = plan_.program().calls.back();
        const graph& g = plan_.program().nodes_of(last);
        reserved_.vocabulary = static_cast<std::int32_t>(
            elements_per_token(g.nodes[g.result].result, plan_.program().values_of(last)));
        sampler_.emplace(reserved_.vocabulary);
        reserved_.top_logprobs = sampler_->max_top_logprobs();
        reserved_.biases = row_biases;
        buckets_ = decode_buckets(std::min(reserved_.sequences, reserved_.wanted));
    }
    void gather(const weight_table& weights) {
        const plan_addresses nowhere = no_addresses(weights);
        const launch_context context = this->context(nowhere, nullptr);
        const sample_context sampling{*sampler_};
        device_weights::gather(kernels_);
        for (const sample_launch& l : {sampler_->clear(), sampler_->mark(1)})
            kernels_.number_of(l.request);
        visit_shapes([&](const step_shape& shape, const step_sizes& sizes) {
            auto nothing = [](std::int32_t, const launch_shape&, const void*, std::size_t) {};
            step_launches{context, sampling, tiles_, shape, sizes, needs_, nothing}.run();
        });
    }
    /// One step of each number of rows that changes a choice; with and without greedy rows.
    template <class Visit> void visit_shapes(const Visit& visit) const {
        for (const std::int32_t bucket : buckets_)
            for (const bool greedy : {true, false}) {
                const step_shape shape = bucket_shape(bucket, greedy);
                visit(shape, shape.sizes);
            }
        const auto mixed = [&](std::int32_t rows, std::int32_t wanted, std::int32_t singles) {
            step_shape shape;
            shape.sizes = {rows, wanted, std::max(singles, 1), singles, {}, 0, 0};
            for (int k = 0; k < max_tile_kinds; ++k)
                shape.sizes.tiles[k] = rows > singles && tiles_.of[k] > 0 ? 1 : 0;
            visit(shape, shape.sizes);
        };
        for (std::int32_t rows = 1; rows <= reserved_.rows; rows += rows < 256 ? 1 : 128) {
            mixed(rows, 1, 0);
            mixed(rows, std::min(rows, reserved_.wanted), 0);
            if (rows <= reserved_.sequences) mixed(rows, std::min(rows, reserved_.wanted), rows);
        }
        const std::int32_t singles = std::min(reserved_.sequences, reserved_.rows) - 1;
        mixed(reserved_.rows, reserved_.wanted, std::max(singles, 0));
    }

    const plan& plan_;
    cuda_options options_;
    device_target target_;
    lowered_plan lowered_;
    bool wgmma_ = false, copies_ = false;
    tile_rows tiles_;
    capacity reserved_;
    std::vector<std::int32_t> buckets_;
    std::optional<sample_kernels> sampler_;
    kernel_set kernels_;
    scratch_needs needs_;
};

}  // namespace g4::cuda
