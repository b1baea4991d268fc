// A recorded case of tests/golden/parity: a random checkpoint, prompts, and what transformers says.
#pragma once
#include "apps/model.hpp"
#include "g4/core/json.hpp"
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace g4::testing {

/// One row whose logits were recorded: the likeliest tokens, and the case's fixed other tokens.
struct parity_row {
    std::int32_t position;
    float log_sum_exp;
    std::vector<std::int32_t> tokens;
    std::vector<float> logits;
};

struct parity_prompt {
    std::vector<std::int32_t> tokens;
    std::vector<parity_row> rows;
    std::vector<std::int32_t> greedy;
    std::vector<float> margins;  // of each greedy step: the first logit less the second
};

/// What transformers in bf16 differs from itself in f32, in log-probabilities.
struct parity_loss { double mean, max; };

struct parity_case {
    std::string name;
    std::filesystem::path checkpoint;
    std::vector<parity_prompt> prompts;
    parity_loss bf16_loss;
};

namespace detail {

template <class T> std::vector<T> numbers(const boost::json::value& list) {
    std::vector<T> out;
    for (const boost::json::value& v : list.as_array())
        out.push_back(static_cast<T>(v.to_number<double>()));
    return out;
}

inline parity_row read_row(const boost::json::value& row, const std::vector<std::int32_t>& ids) {
    parity_row out{static_cast<std::int32_t>(row.at("position").as_int64()),
                   static_cast<float>(row.at("log_sum_exp").to_number<double>()),
                   numbers<std::int32_t>(row.at("top_ids")), numbers<float>(row.at("top_logits"))};
    const auto others = numbers<float>(row.at("logits"));
    out.tokens.insert(out.tokens.end(), ids.begin(), ids.end());
    out.logits.insert(out.logits.end(), others.begin(), others.end());
    return out;
}

/// Makes the checkpoint unless that of this recording is there already. Needs python with numpy:
/// the tests' own.
inline void make_checkpoint(const std::filesystem::path& folder, const boost::json::value& golden) {
    const std::string recorded{golden.at("checkpoint_sha256").as_string()};
    std::string made;
    if (std::ifstream{folder / "made"} >> made && made == recorded) return;
    std::filesystem::remove_all(folder);
    std::string command = "cd '" G4_SOURCE_DIR "' && PYTHONDONTWRITEBYTECODE=1 '" G4_BINARY_DIR
                          "/python/bin/python' -m tools.checkpoint '" + folder.string() + "'";
    for (const boost::json::value& argument : golden.at("checkpoint").as_array())
        command += " '" + std::string{argument.as_string()} + "'";
    std::filesystem::create_directories(folder.parent_path());
    if (std::system(command.c_str()) != 0)
        throw internal_error{"parity: cannot make the checkpoint by: ", command};
    std::ofstream{folder / "made"} << recorded;
}

}  // namespace detail

inline parity_case read_parity_case(const std::filesystem::path& file) {
    const boost::json::value golden = read_json(file);
    parity_case out{file.stem().string(), {}, {}, {}};
    out.checkpoint = std::filesystem::path{G4_BINARY_DIR} / "checkpoints" / out.name;
    detail::make_checkpoint(out.checkpoint, golden);
    const auto ids = detail::numbers<std::int32_t>(golden.at("ids"));
    for (const boost::json::value& prompt : golden.at("prompts").as_array()) {
        parity_prompt p{detail::numbers<std::int32_t>(prompt.at("tokens")), {},
                        detail::numbers<std::int32_t>(prompt.at("greedy")),
                        detail::numbers<float>(prompt.at("margins"))};
        for (const boost::json::value& row : prompt.at("rows").as_array())
            p.rows.push_back(detail::read_row(row, ids));
        out.prompts.push_back(std::move(p));
    }
    const boost::json::value& loss = golden.at("bf16_loss");
    out.bf16_loss = {loss.at("mean").to_number<double>(), loss.at("max").to_number<double>()};
    return out;
}

/// Every recorded case, by name.
inline std::vector<std::filesystem::path> parity_files() {
    std::vector<std::filesystem::path> out;
    for (const auto& entry :
         std::filesystem::directory_iterator{G4_SOURCE_DIR "/tests/golden/parity"})
        if (entry.path().extension() == ".json") out.push_back(entry.path());
    std::sort(out.begin(), out.end());
    return out;
}

/// Mean and maximum of the differences of log-probabilities, over all values added.
class logprob_error {
  public:
    /// `logits` [vocabulary] of one row against what was recorded of it.
    void add(const parity_row& recorded, std::span<const float> logits) {
        double most = -INFINITY, sum = 0;
        for (const float l : logits) most = std::max(most, static_cast<double>(l));
        for (const float l : logits) sum += std::exp(static_cast<double>(l) - most);
        const double log_sum_exp = most + std::log(sum);
        for (std::size_t i = 0; i < recorded.tokens.size(); ++i) {
            const double want = static_cast<double>(recorded.logits[i]) - recorded.log_sum_exp;
            const double got =
                logits[static_cast<std::size_t>(recorded.tokens[i])] - log_sum_exp;
            add_difference(got - want);
        }
    }
    void add_difference(double difference) {
        sum_ += std::abs(difference);
        max_ = std::isnan(difference) ? INFINITY : std::max(max_, std::abs(difference));
        ++count_;
    }
    double mean() const { return count_ == 0 ? INFINITY : sum_ / static_cast<double>(count_); }
    double max() const { return count_ == 0 ? INFINITY : max_; }

  private:
    double sum_ = 0, max_ = 0;
    std::size_t count_ = 0;
};

}  // namespace g4::testing
