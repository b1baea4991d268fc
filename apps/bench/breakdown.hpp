// Where the time of a step goes: every launch timed alone, summed by kernel.
#pragma once
#include "apps/bench/step_line.hpp"
#include "g4/backends/cuda/launch_timer.hpp"
#include "g4/core/error.hpp"
#include "g4/passes/plan_print.hpp"
#include <boost/json.hpp>
#include <functional>
#include <map>
#include <string>

namespace g4::apps {

/// Launches of one kernel over one grid.
struct kernel_share {
    std::string kernel, grid;
    int launches = 0;
    double microseconds = 0;  // of all of them
};
struct breakdown {
    std::string title;
    std::vector<kernel_share> shares;  // the greatest first
    int launches = 0;
    double microseconds = 0;           // of all launches
    double between_events = 0;         // with nothing in between: part of each launch's time
    double step_microseconds = 0;      // as it is served, launches overlapping
};

inline void add_launches(breakdown& to, const cuda::launch_times& times) {
    to.between_events = times.between_events;
    std::map<std::pair<std::string, std::string>, kernel_share> sums;
    for (const kernel_share& s : to.shares) sums[{s.kernel, s.grid}] = s;
    for (const cuda::timed_launch& l : times.launches) {
        std::string grid = concat(l.shape.grid_x);
        if (l.shape.grid_y * l.shape.grid_z > 1) grid += concat(" x ", l.shape.grid_y);
        if (l.shape.grid_z > 1) grid += concat(" x ", l.shape.grid_z);
        kernel_share& sum = sums[{l.kernel, grid}];
        sum.kernel = l.kernel;
        sum.grid = grid;
        ++sum.launches;
        sum.microseconds += l.microseconds;
        ++to.launches;
        to.microseconds += l.microseconds;
    }
    to.shares.clear();
    for (auto& [key, sum] : sums) to.shares.push_back(std::move(sum));
    std::stable_sort(to.shares.begin(), to.shares.end(), [](const auto& a, const auto& b) {
        return a.microseconds > b.microseconds; });
}

/// Takes steps apart on an executor that can tell its launches.
class step_breakdown {
  public:
    using occupy = std::function<void(const stream&)>;
    static constexpr int uncounted_steps = 4, counted_steps = 32;
    static constexpr int most_steps = uncounted_steps + counted_steps;

    step_breakdown(executor& runs_on, occupy busy, int in_flight, int seed)
        : executor_{runs_on}, timer_{dynamic_cast<cuda::launch_timer*>(&runs_on)},
          busy_{std::move(busy)}, in_flight_{in_flight}, seed_{seed} {
        if (timer_ == nullptr)
            throw input_error{"--breakdown: expected a GPU, got a back end that has no launches"};
    }

    breakdown decode(int context, int count) {
        lockstep_batch batch = room_for(count, context + most_steps, true);
        const auto prompts = prompts_of(count, context);
        token_list tokens;
        for (const token_list& prompt : prompts) tokens.push_back(prompt.back());
        breakdown out{concat("decode, batch ", count, ", context ", context), {}};
        {
            step_line line{executor_, in_flight_};
            time_prefill(batch, line, prompts);
            out.step_microseconds = 1e6 * median(time_decode(batch, line, count, tokens,
                                                             uncounted_steps, counted_steps)
                                                     .seconds);
        }
        batch.rewind(context);
        add_launches(out, timer_->time_launches(batch.decode(count, tokens), 7, busy_));
        return out;
    }

    breakdown prefill(int count, int length) {
        breakdown out{concat("prefill, ", count, " x ", length, " tokens"), {}};
        const auto prompts = prompts_of(count, length);
        for (int i = 0; i < 2; ++i) {  // the first run of all loads what is loaded late
            lockstep_batch batch = room_for(count, length + 1, false);
            step_line line{executor_, in_flight_};
            out.step_microseconds = 1e6 * time_prefill(batch, line, prompts);
        }
        lockstep_batch batch = room_for(count, length + 1, false);
        for (step next = batch.prefill(prompts); !next.token_ids.empty();
             next = batch.prefill(prompts))
            add_launches(out, timer_->time_launches(next, 3, busy_));
        return out;
    }

  private:
    lockstep_batch room_for(int count, int positions, bool rewinds) const {
        lockstep_batch out{executor_.reserved(), count, positions, rewinds};
        if (out.size() < count)
            throw input_error{"--breakdown: expected room for ", count, " sequences of ", positions,
                              " positions in the kv cache, got room for ", out.size()};
        return out;
    }
    std::vector<token_list> prompts_of(int count, int length) const {
        return random_prompts(count, length, executor_.reserved().vocabulary, seed_);
    }

    executor& executor_;
    cuda::launch_timer* timer_;
    occupy busy_;
    int in_flight_, seed_;
};

inline std::string print(const breakdown& b) {
    std::string out = concat("\n", b.title, ": ", b.launches, " launches, ",
                             fixed(b.microseconds, 1), " us one behind the other, ",
                             fixed(b.step_microseconds, 1), " us as it is served; each with ",
                             fixed(b.between_events, 2), " us from event to event\n\n",
                             "| kernel | grid | launches | us each | us in all | share |\n",
                             "|---|--:|--:|--:|--:|--:|\n");
    for (const kernel_share& s : b.shares)
        out += concat("| ", s.kernel, " | ", s.grid, " | ", s.launches, " | ",
                      fixed(s.microseconds / s.launches, 2), " | ", fixed(s.microseconds, 1),
                      " | ", fixed(100 * s.microseconds / b.microseconds, 1), " % |\n");
    return out;
}

inline boost::json::object json_of(const breakdown& b) {
    boost::json::array kernels;
    for (const kernel_share& s : b.shares)
        kernels.push_back(boost::json::object{{"kernel", s.kernel}, {"grid", s.grid},
                                              {"launches", s.launches},
                                              {"microseconds", s.microseconds}});
    return {{"title", b.title}, {"launches", b.launches}, {"microseconds", b.microseconds},
            {"microseconds_as_served", b.step_microseconds},
            {"microseconds_between_events", b.between_events}, {"kernels", std::move(kernels)}};
}

}  // namespace g4::apps
