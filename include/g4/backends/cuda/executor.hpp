// The executor of the CUDA back end: steps go to the device in order, decode steps as replays.
#pragma once
#include "g4/backends/cuda/launch_clock.hpp"
#include "g4/backends/cuda/slot_prompts.hpp"
#include "g4/backends/cuda/survey.hpp"
#include <deque>
#include <functional>
#include <memory>
#include <optional>

namespace g4::cuda {

/// Builds and loads kernels for a device: by NVRTC, or out of a bundle.
using kernel_source = std::function<std::unique_ptr<kernel_library>(
    const device&, const std::vector<kernel_request>&)>;

/// How many pages each cache kind gets of so many bytes.
using page_budget = std::function<std::vector<std::int32_t>(double bytes)>;

class cuda_executor final : public executor, public launch_timer {
  public:
    cuda_executor(device on, plan p, const weight_table& weights, const cuda_options& options,
                  const kernel_source& build, const page_budget& budget)
        : device_{std::move(on)}, plan_{std::move(p)}, options_{options}, order_{device_},
          survey_{plan_, weights, options, target_of(device_, options)},
          reserved_{survey_.reserved()} {
        device_.use();
        library_ = build(device_, kernels_.requests());
        kernels_.load(*library_);
        weights_.emplace(device_, order_, lowered_, weights, kernels_, survey_.copies(),
                         options_.log);
        arena_.emplace(device_, order_, plan_, sizes_of(survey_.needs()));
        reserve_step_memory();
        reserve_sampler();
        reserve_caches(budget);
        place();
        order_.synchronize();
        if (options_.replay) capture_all();
        log_memory();
    }
    ~cuda_executor() override {
        try {
            device_.use();
            order_.synchronize();
        } catch (const std::exception&) {  // the device is lost: nothing is left to wait for
        }
    }

    const capacity& reserved() const override { return reserved_; }

    void submit(const step& next) override {
        if (!failure_.empty()) throw device_error{failure_};
        G4_ASSERT(waiting_.size() < 2, "cuda: two steps are waiting already");
        guarded([&] { run(next); });
    }
    step_result wait() override {
        if (!failure_.empty()) throw device_error{failure_};
        G4_ASSERT(!waiting_.empty(), "cuda: no step to wait for");
        const step_in_flight done = waiting_.front();
        waiting_.pop_front();
        guarded([&] { places_[done.place].done.synchronize(); });
        const auto* results =
            reinterpret_cast<const token_logprob*>(places_[done.place].results.data());
        return {{results, done.wanted}, {results + done.wanted, done.tops}};
    }

    launch_times time_launches(const step& next, int repeats,
                               const std::function<void(const stream&)>& occupy) override {
        if (!failure_.empty()) throw device_error{failure_};
        G4_ASSERT(waiting_.empty(), "cuda: launches are timed while no step is in flight");
        launch_clock clock{order_, kernels_};
        guarded([&] {
            const sent_step sent = send(next, places_[next_place_]);
            for (int i = -1; i < repeats; ++i) {
                occupy(order_);
                clock.begin();
                launch_all(sent.launched, sent.padded, clock);
                clock.end(i >= 0);
            }
        });
        return clock.medians();
    }

  private:
    struct step_place {
        pinned_buffer tables, results;
        event done;
    };
    struct step_in_flight { std::size_t place, wanted, tops; };
    struct sent_step {
        step_shape launched;
        step_sizes padded;
        const replay* replayed;  // null: launch by launch
    };

    static device_target target_of(const device& on, const cuda_options& options) {
        const device_info& info = on.info();
        return options.target.value_or(device_target{info.major, info.multiprocessors,
                                                     info.memory_gigabytes_per_second});
    }

    template <class Body> void guarded(const Body& body) {
        try {
            device_.use();
            body();
        } catch (const std::exception& error) {
            failure_ = concat("cuda: a step failed: ", error.what());
            throw device_error{failure_};
        }
    }

    arena_sizes sizes_of(const scratch_needs& needs) const {
        arena_sizes out;
        out.slots.resize(plan_.slots.size());
        for (const placed_buffer& b : unplaced_buffers(plan_)) {
            const std::int64_t rows = b.of == rows::all ? reserved_.rows : reserved_.wanted;
            out.slots[b.slot] = std::max(
                out.slots[b.slot], static_cast<std::size_t>(rows * b.stride * b.element_bytes));
        }
        for (const bound_rope& t : lowered_.ropes)
            out.ropes.push_back(static_cast<std::size_t>(reserved_.rows) *
                                static_cast<std::size_t>(t.head_dim) * sizeof(float));
        out.activation = static_cast<std::size_t>(
            reserved_.rows * row_stride(lowered_.activation_width) * 2);
        out.sums = needs.sums;
        out.partial = needs.partial;
        out.extent = needs.extent;
        return out;
    }

    void reserve_step_memory() {
        token_ids_ = device_buffer{device_, static_cast<std::size_t>(reserved_.rows) * 4};
        last_tokens_ = device_buffer{device_, static_cast<std::size_t>(reserved_.wanted) * 4};
        order_.fill(last_tokens_.data(), 0, last_tokens_.size());
        results_bytes_ = static_cast<std::size_t>(reserved_.wanted) *
                         (1 + static_cast<std::size_t>(survey_.sampler().max_top_logprobs())) *
                         sizeof(token_logprob);
        results_ = device_buffer{device_, results_bytes_};
        for (const bound_rope& t : lowered_.ropes) {
            const std::vector<float> values = t.frequencies();
            frequencies_.emplace_back(device_, values.size() * sizeof(float));
            order_.copy_to_device(frequencies_.back().data(), values.data(),
                                  frequencies_.back().size());
            order_.synchronize();
        }
    }
    sample_sizes sampler_sizes() const {
        return {reserved_.vocabulary, reserved_.sequences, reserved_.wanted, survey_.max_biases()};
    }
    void reserve_sampler() {
        slots_ = device_buffer{device_, survey_.sampler().slot_bytes(sampler_sizes())};
        scratch_ = device_buffer{device_, survey_.sampler().scratch_bytes(sampler_sizes())};
        order_.fill(slots_.data(), 0, slots_.size());
        order_.fill(scratch_.data(), 0, scratch_.size());
        auto* choices = results_.as<g4k::sample_choice>();
        const sample_kernels& sampler = survey_.sampler();
        const g4k::sample_slots slots = sampler.slots_at(sampler_sizes(), slots_.data());
        sampling_.emplace(sample_context{sampler, slots,
                                         sampler.scratch_at(sampler_sizes(), scratch_.data()),
                                         choices, choices + reserved_.wanted});
        prompts_.emplace(device_, order_, sampler, kernels_, slots, reserved_.sequences);
    }
    void reserve_caches(const page_budget& budget) {
        const memory_room room = device_.memory();
        const std::vector<std::int32_t> pages = budget(static_cast<double>(room.free_bytes));
        G4_ASSERT(pages.size() == plan_.cache_groups.size(), "cuda: pages of each cache kind");
        for (std::size_t k = 0; k < pages.size(); ++k) {
            const cache_group& group = plan_.cache_groups[k];
            reserved_.kinds.push_back(
                {static_cast<std::int32_t>(group.window), pages[k],
                 static_cast<std::int64_t>(group.bytes_per_token * group.layers *
                                           options_.page_tokens)});
            page_capacity_ += pages[k];
        }
        arena_->reserve_caches(device_, order_, plan_, reserved_.kinds, options_.page_tokens);
        const std::size_t bytes = layout_of(survey_.largest_step()).bytes +
                                  static_cast<std::size_t>(page_capacity_) * 4 + 16;
        step_memory_ = device_buffer{device_, bytes};
        for (int i = 0; i < 3; ++i)  // two that run, and one whose results are being read
            places_.push_back({pinned_buffer{device_, bytes},
                               pinned_buffer{device_, results_bytes_}, event{device_}});
    }
    void place() {
        at_.buffers = arena_->buffers();
        at_.caches = arena_->caches();
        at_.pool_bytes = arena_->pool_bytes();
        at_.matrices = weights_->matrices();
        for (std::size_t t = 0; t < lowered_.tables.size(); ++t) {
            at_.tables.push_back(weights_->table(static_cast<std::int32_t>(t)));
            at_.table_strides.push_back(weights_->table_stride(static_cast<std::int32_t>(t)));
        }
        at_.vectors = weights_->vectors();
        at_.ropes = arena_->ropes();
        for (const device_buffer& f : frequencies_) at_.frequencies.push_back(f.as<float>());
        at_.activation = arena_->activation();
        at_.sums = arena_->sums();
        at_.partial = arena_->partial();
        at_.extent = arena_->extent();
        at_.step = step_memory_.data();
        at_.token_ids = token_ids_.as<int>();
        at_.last_tokens = last_tokens_.as<int>();
    }

    void launch_all(const step_shape& shape, const step_sizes& padded) {
        auto sink = [&](std::int32_t kernel, const launch_shape& size, const void* args,
                        std::size_t bytes) {
            order_.launch(kernels_.at(kernel), size, args, bytes);
        };
        launch_all(shape, padded, sink);
    }
    template <launch_sink Sink>
    void launch_all(const step_shape& shape, const step_sizes& padded, Sink& sink) {
        scratch_needs needs;
        const launch_context context = survey_.context(at_, &device_);
        step_launches{context, *sampling_, survey_.tiles(), shape, padded, needs, sink}.run();
    }
    void capture_all() {
        for (const std::int32_t bucket : survey_.buckets())
            for (const bool greedy : {true, false}) {
                const step_shape shape = survey_.bucket_shape(bucket, greedy);
                replays_[{bucket, greedy}] = std::make_unique<replay>(
                    order_.capture([&] { launch_all(shape, shape.sizes); }));
                order_.upload(*replays_.at({bucket, greedy}));
            }
    }

    /// Brings the tables of a step to the device, and says what is to be launched for it.
    sent_step send(const step& next, step_place& place) {
        const step_shape shape = shape_of(next, survey_.tiles());
        check(next, shape);
        const auto bucket =
            std::lower_bound(survey_.buckets().begin(), survey_.buckets().end(), shape.sizes.rows);
        const bool replayed = options_.replay && shape.decode && bucket != survey_.buckets().end();
        sent_step out{replayed ? survey_.bucket_shape(*bucket, shape.greedy) : shape, {}, nullptr};
        if (replayed) out.replayed = replays_.at({*bucket, shape.greedy}).get();
        out.padded = out.launched.sizes;
        out.padded.pages = shape.sizes.pages;
        const std::size_t bytes =
            step_writer{next, shape, out.padded, survey_.tiles(), place.tables.data()}.write();
        for (const slot_start& started : next.started) prompts_->start(started);
        for (const wanted_row& w : next.wanted)
            if (w.how.repetition_penalty != 1) prompts_->need(slot_of(next, w.row));
        order_.copy_to_device(step_memory_.data(), place.tables.data(), bytes);
        return out;
    }

    /// The slot of the sequence that a row belongs to. Sequences lie in the order of their rows.
    static std::int32_t slot_of(const step& next, std::int32_t row) {
        const auto behind = std::upper_bound(
            next.sequences.begin(), next.sequences.end(), row,
            [](std::int32_t r, const sequence_rows& s) { return r < s.first_row; });
        return std::prev(behind)->slot;
    }
    void run(const step& next) {
        step_place& place = places_[next_place_];
        const sent_step sent = send(next, place);
        if (sent.replayed != nullptr) order_.launch(*sent.replayed);
        else launch_all(sent.launched, sent.padded);
        std::size_t tops = 0;
        for (const wanted_row& w : next.wanted)
            tops += static_cast<std::size_t>(std::max(0, w.how.top_logprobs));
        const std::size_t wanted = next.wanted.size();
        auto* to = reinterpret_cast<token_logprob*>(place.results.data());
        const auto* from = results_.as<token_logprob>();
        order_.copy_to_host(to, from, wanted * sizeof(token_logprob));
        order_.copy_to_host(to + wanted, from + reserved_.wanted, tops * sizeof(token_logprob));
        order_.record(place.done);
        waiting_.push_back({next_place_, wanted, tops});
        next_place_ = (next_place_ + 1) % places_.size();
    }
    void check(const step& next, const step_shape& shape) const {
        for (const wanted_row& w : next.wanted)
            G4_ASSERT(w.how.top_logprobs <= reserved_.top_logprobs, "cuda: ", w.how.top_logprobs,
                      " log-probabilities of a row, ", reserved_.top_logprobs, " are reserved");
        G4_ASSERT(shape.sizes.rows <= reserved_.rows && shape.sizes.wanted <= reserved_.wanted &&
                      shape.sizes.sequences <= reserved_.sequences &&
                      shape.sizes.biases <= survey_.max_biases() &&
                      shape.sizes.pages <= page_capacity_,
                  "cuda: a step of ", shape.sizes.rows, " rows, ", shape.sizes.wanted,
                  " wanted, ", shape.sizes.sequences, " sequences exceeds what was reserved");
    }

    void log_memory() const {
        std::string names;
        for (const kernel_request& r : kernels_.requests()) names += " " + r.name;
        options_.log.debug("cuda: kernels:", names);
        const weight_sizes& w = weights_->bytes();
        options_.log.info("cuda: ", device_.info().name, ", bytes: int4 weights ", w.packed,
                          ", bf16 weights and tables ", w.plain, ", bf16 copies of int4 weights ",
                          w.copies, ", norms ", w.vectors, ", buffers and scratch ",
                          arena_->bytes(), ", kv cache ", arena_->cache_bytes(), ", sampler ",
                          slots_.size() + scratch_.size(), ", step tables and results ",
                          step_memory_.size() + results_bytes_);
        options_.log.info("cuda: ", kernels_.requests().size(), " kernels, ", replays_.size(),
                          " replays of decode steps up to ",
                          survey_.buckets().empty() ? 0 : survey_.buckets().back(),
                          " rows; tiles by ",
                          survey_.wgmma() ? "wgmma" : "mma");
    }

    device device_;
    plan plan_;
    cuda_options options_;
    stream order_;
    survey survey_;
    const lowered_plan& lowered_ = survey_.lowered();
    kernel_set& kernels_ = survey_.kernels();
    capacity reserved_;
    std::size_t results_bytes_ = 0;
    std::int64_t page_capacity_ = 0;
    std::unique_ptr<kernel_library> library_;
    plan_addresses at_;
    std::optional<sample_context> sampling_;
    std::optional<device_weights> weights_;
    std::optional<arena> arena_;
    device_buffer token_ids_, last_tokens_, results_, slots_, scratch_, step_memory_;
    std::vector<device_buffer> frequencies_;
    std::optional<slot_prompts> prompts_;
    std::vector<step_place> places_;
    std::size_t next_place_ = 0;
    std::map<std::pair<std::int32_t, bool>, std::unique_ptr<replay>> replays_;
    std::deque<step_in_flight> waiting_;
    std::string failure_;
};

/// An executor that runs `p` on a GPU. `weights` may be forgotten when it stands.
/// Errors: input_error for what the weights or options ask and this back end cannot do;
///         device_error from the driver.
inline std::unique_ptr<executor> make_cuda_executor(const device& on, plan p,
                                                    const weight_table& weights,
                                                    const cuda_options& options,
                                                    const kernel_source& build,
                                                    const page_budget& budget) {
    return std::make_unique<cuda_executor>(on, std::move(p), weights, options, build, budget);
}

}  // namespace g4::cuda
