// A checkpoint of the real size against transformers in f32, on any back end. Needs one, and what
// was recorded of it: G4_LARGE_CHECKPOINT and G4_LARGE_GOLDEN, of tools/reference/large.py.
#pragma once
#include "apps/start_model.hpp"
#include "tests/support/parity_run.hpp"
#include <cstdlib>
#include <map>

namespace g4::testing {

inline constexpr int tops = 1024;  // alternatives of a row: all that a device sorts

/// Log-probabilities of the likeliest tokens, by position.
using likeliest = std::map<std::int32_t, std::map<std::int32_t, float>>;

struct large_case {
    parity_prompt prompt;
    parity_loss allowed{};  // what transformers loses in bf16
    apps::running_model model;

    large_case(const std::filesystem::path& folder, const std::filesystem::path& golden,
               const std::string& device) {
        const boost::json::value read = read_json(golden);
        const boost::json::value& asked = read.at("prompts").as_array().front();
        prompt = {detail::numbers<std::int32_t>(asked.at("tokens")), {},
                  detail::numbers<std::int32_t>(asked.at("greedy")),
                  detail::numbers<float>(asked.at("margins"))};
        for (const boost::json::value& row : asked.at("rows").as_array())
            prompt.rows.push_back(detail::read_row(row, {}));
        allowed = {read.at("bf16_loss").at("mean").to_number<double>(),
                   read.at("bf16_loss").at("max").to_number<double>()};
        apps::run_options options;
        options.device = device;
        options.max_num_seqs = 8;
        options.max_num_batched_tokens = 4096;
        options.max_model_len = 1024;
        options.kv_cache_bytes = 2e9;
        options.kernel_cache = G4_BINARY_DIR "/kernels";
        model = apps::start_model(folder, options, {});
    }
    std::int32_t positions() const {
        return static_cast<std::int32_t>(prompt.tokens.size() + prompt.greedy.size());
    }
};

inline void keep(likeliest& to, const step_result& result, std::int32_t first, std::size_t from,
          std::size_t count) {
    for (std::size_t r = 0; r < count; ++r)
        for (const token_logprob& t : result.top.subspan((from + r) * tops, tops))
            to[first + static_cast<std::int32_t>(r)][t.token] = t.logprob;
}

/// One step of `count` copies of these tokens, which begin at `past`; rows of the last copy.
inline std::int32_t advance(lockstep_batch& batch, likeliest& to, int most_wanted, int count,
                     const std::vector<std::int32_t>& tokens, std::int32_t past) {
    const auto rows = static_cast<std::int32_t>(tokens.size());
    const std::int32_t wanted = std::min(rows, most_wanted / count);
    const std::vector<std::vector<std::int32_t>> all(static_cast<std::size_t>(count), tokens);
    const step_result result = batch.run(all, wanted, {.top_logprobs = tops});
    const std::size_t last = static_cast<std::size_t>((count - 1) * wanted);
    keep(to, result, past + rows - wanted, last, static_cast<std::size_t>(wanted));
    return result.sampled.back().token;
}

/// Runs the prompt in chunks, from `singly` on in chunks of one row, then the recorded answer;
/// `chosen` gets the token that each step of the answer would have taken.
inline likeliest run(const large_case& s, int chunk, int count, std::size_t singly,
              std::vector<std::int32_t>& chosen) {
    lockstep_batch batch{*s.model.runs, count, s.positions()};
    likeliest out;
    std::vector<std::int32_t> all = s.prompt.tokens;
    all.insert(all.end(), s.prompt.greedy.begin(), s.prompt.greedy.end() - 1);
    for (std::size_t past = 0; past < all.size();) {
        const std::size_t end = past < singly ? singly : past + 1;
        const std::size_t rows = std::min(static_cast<std::size_t>(chunk), end - past);
        const auto begin = all.begin() + static_cast<std::ptrdiff_t>(past);
        const std::int32_t token =
            advance(batch, out, s.model.runs->reserved().wanted, count,
                    {begin, begin + static_cast<std::ptrdiff_t>(rows)},
                    static_cast<std::int32_t>(past));
        past += rows;
        if (past >= s.prompt.tokens.size()) chosen.push_back(token);
    }
    return out;
}

/// A token that is not among the likeliest counts as far as it must at least be away.
inline double logprob_of(const std::map<std::int32_t, float>& row, std::int32_t token) {
    if (const auto found = row.find(token); found != row.end()) return found->second;
    return std::min_element(row.begin(), row.end(), [](const auto& a, const auto& b) {
               return a.second < b.second;
           })->second;
}

inline logprob_error compare(const large_case& s, const likeliest& got) {
    logprob_error out;
    for (const parity_row& row : s.prompt.rows) {
        if (!got.contains(row.position)) continue;
        for (std::size_t i = 0; i < row.tokens.size(); ++i)
            out.add_difference(logprob_of(got.at(row.position), row.tokens[i]) -
                               (static_cast<double>(row.logits[i]) - row.log_sum_exp));
    }
    return out;
}

/// The same between two ways of running it, over the recorded tokens.
inline logprob_error compare(const large_case& s, const likeliest& one, const likeliest& other) {
    logprob_error out;
    for (const parity_row& row : s.prompt.rows) {
        if (!one.contains(row.position) || !other.contains(row.position)) continue;
        for (const std::int32_t token : row.tokens)
            out.add_difference(logprob_of(one.at(row.position), token) -
                               logprob_of(other.at(row.position), token));
    }
    return out;
}

/// A step may choose another token only where the first two lie closer than rounding moves them.
/// With a mean loss m the deviation is 1.25 m, 1.5 times that is allowed, and the difference of two
/// has 1.41 times as much: 2.7 m. Four of those decide.
inline void check_chosen(const large_case& s, const std::vector<std::int32_t>& chosen) {
    REQUIRE(chosen.size() == s.prompt.greedy.size());
    const double decides = 4 * 2.7 * s.allowed.mean;
    int clear = 0, same = 0;
    double widest = 0;
    for (std::size_t i = 0; i < chosen.size(); ++i) {
        CAPTURE(i);
        const double margin = static_cast<double>(s.prompt.margins[i]);
        if (chosen[i] == s.prompt.greedy[i]) ++same;
        else widest = std::max(widest, margin);
        if (margin < decides) continue;
        ++clear;
        CHECK(chosen[i] == s.prompt.greedy[i]);
    }
    MESSAGE("greedy: ", same, " of ", chosen.size(), " tokens the same, others at margins up to ",
            widest, "; ", clear, " with a margin of ", decides, ", which decides");
}

/// Compares every way of running the case that the back end has room for, or says why it cannot.
inline void check_large(const std::string& device, std::string why) {
    const char* folder = std::getenv("G4_LARGE_CHECKPOINT");
    const char* golden = std::getenv("G4_LARGE_GOLDEN");
    if (folder == nullptr || golden == nullptr)
        why = "G4_LARGE_CHECKPOINT and G4_LARGE_GOLDEN name no checkpoint and what is known of it";
    if (!why.empty()) {
        MESSAGE("SKIPPED: ", why);
        return;
    }
    const large_case s{folder, golden, device};
    const std::size_t prompt = s.prompt.tokens.size();
    struct way { int chunk, count; std::size_t singly; };
    likeliest first;
    for (const auto& [chunk, count, singly] :
         {way{64, 1, prompt}, way{512, 1, prompt - 16}, way{512, 1, prompt}, way{700, 1, prompt},
          way{64, 8, prompt}, way{512, 8, prompt}}) {
        if (chunk * count > s.model.runs->reserved().rows) continue;
        CAPTURE(chunk);
        CAPTURE(count);
        CAPTURE(singly);
        std::vector<std::int32_t> chosen;
        const likeliest got = run(s, chunk, count, singly, chosen);
        if (first.empty()) first = got;
        const logprob_error error = compare(s, got), between = compare(s, got, first);
        MESSAGE("chunks of ", chunk, ", ", count, " at once: mean ", error.mean(), ", max ",
                error.max(), "; bf16 loses ", s.allowed.mean, ", ", s.allowed.max,
                "; from the first way mean ", between.mean(), ", max ", between.max());
        CHECK(error.mean() <= 1.5 * s.allowed.mean);
        CHECK(error.max() <= 1.5 * s.allowed.max);
        CHECK(between.mean() <= 1.5 * s.allowed.mean);
        CHECK(between.max() <= 1.5 * s.allowed.max);
        check_chosen(s, chosen);
    }
}

}  // namespace g4::testing
