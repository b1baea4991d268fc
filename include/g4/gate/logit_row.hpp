// One row of logits, looked at as seldom as possible: the maximum of each block tells which few
// blocks a question about the greatest entries must read again.
#pragma once
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <vector>

namespace g4 {

/// e^x for -87 <= x <= 0, within 2 units of the last place and 1.7e-38; 0 for -87. Written so that
/// compilers turn a loop over it into vector code, which std::exp prevents.
/// Source: the range reduction and polynomial of Cephes' expf (S. Moshier, 1992).
inline float exp_not_above_one(float x) {
    constexpr float rounds = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
    const float shifted = x * 1.44269504f + rounds;
    const float n = shifted - rounds;
    const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    const std::uint32_t power = (std::bit_cast<std::uint32_t>(shifted) << 23) + 0x3f800000u;
    const float result = (p * (r * r) + r + 1.0f) * std::bit_cast<float>(power);
    const float above_least = result - 1.7e-38f;  // e^-87 is 1.65e-38; elsewhere rounding eats it
    return above_least > 0.0f ? above_least : 0.0f;
}

/// masses[i] = e^((values[i] - greatest) / temperature), 0 below e^-87; their sum.
inline double fill_masses(std::span<const float> values, float greatest, float temperature,
                          float* masses) {
    constexpr std::size_t lanes = 16, stretch = 512;  // f32 sums stay short
    double total = 0;
    const std::size_t count = values.size();
    for (std::size_t begin = 0; begin < count; begin += stretch) {
        const std::size_t length = std::min(stretch, count - begin);
        const float* from = values.data() + begin;
        float* to = masses + begin;
        for (std::size_t i = 0; i < length; ++i) {  // two loops: GCC makes branches of one
            const float x = (from[i] - greatest) / temperature;
            to[i] = x > -87.0f ? x : -87.0f;
        }
        for (std::size_t i = 0; i < length; ++i) to[i] = exp_not_above_one(to[i]);
        float sums[lanes] = {};
        std::size_t i = 0;
        for (; i + lanes <= length; i += lanes)
            for (std::size_t lane = 0; lane < lanes; ++lane) sums[lane] += to[i + lane];
        for (; i < length; ++i) total += static_cast<double>(to[i]);
        for (const float sum : sums) total += static_cast<double>(sum);
    }
    return total;
}

class logit_row {
  public:
    /// Takes over a row; `logits` must live until the next begin().
    void begin(std::span<float> logits) {
        logits_ = logits;
        maxima_.resize((logits.size() + block - 1) / block);
        sound_ = true;
        for (std::size_t b = 0; b < maxima_.size(); ++b) scan(b);
        find_greatest();
        sound_ = sound_ && std::isfinite(greatest_);
    }

    /// Whether all are numbers, the greatest finite: of anything else no token can be chosen.
    bool sound() const { return sound_; }
    float greatest() const { return greatest_; }
    std::span<const float> values() const { return logits_; }
    float operator[](std::int32_t token) const { return logits_[static_cast<std::size_t>(token)]; }

    /// Replaces logits; settle() must follow before the row is asked anything else.
    void change(std::int32_t token, float value) {
        logits_[static_cast<std::size_t>(token)] = value;
        changed_.push_back(static_cast<std::size_t>(token) / block);
    }
    void settle() {
        if (changed_.empty()) return;
        std::ranges::sort(changed_);
        const auto repeated = std::ranges::unique(changed_);
        changed_.erase(repeated.begin(), repeated.end());
        for (const std::size_t b : changed_) scan(b);
        changed_.clear();
        find_greatest();
        sound_ = sound_ && std::isfinite(greatest_);
    }

    /// The greatest entry, the lowest of equal ones.
    std::int32_t argmax() const {
        const std::size_t b =
            static_cast<std::size_t>(std::ranges::find(maxima_, greatest_) - maxima_.begin());
        const auto at = std::find(logits_.begin() + static_cast<std::ptrdiff_t>(b * block),
                                  logits_.end(), greatest_);
        return static_cast<std::int32_t>(at - logits_.begin());
    }

    /// The value of the entry that `rank` - 1 others come before; 1 <= rank <= size.
    float value_of_rank(std::size_t rank) {
        float bound = -std::numeric_limits<float>::infinity();
        if (rank < maxima_.size()) {  // that many blocks reach it, so that many entries do
            sorted_.assign(maxima_.begin(), maxima_.end());
            bound = nth(rank);
        }
        sorted_.clear();
        visit_from(bound, [&](std::int32_t, float value) { sorted_.push_back(value); });
        return nth(rank);
    }

    /// Calls visit(token, value) for all entries not below `bound`, in the order of tokens.
    template <class Visit> void visit_from(float bound, Visit visit) const {
        for (std::size_t b = 0; b < maxima_.size(); ++b) {
            if (!(maxima_[b] >= bound)) continue;
            const std::size_t end = std::min((b + 1) * block, logits_.size());
            for (std::size_t i = b * block; i < end; ++i)
                if (logits_[i] >= bound) visit(static_cast<std::int32_t>(i), logits_[i]);
        }
    }

  private:
    static constexpr std::size_t block = 128;  // 2,048 blocks of 262,144 entries
    static constexpr std::size_t lanes = 16;

    void scan(std::size_t b) {
        const std::size_t begin = b * block, end = std::min(begin + block, logits_.size());
        float most[lanes];
        std::uint32_t odd[lanes] = {};
        std::fill_n(most, lanes, -std::numeric_limits<float>::infinity());
        std::size_t i = begin;
        for (; i + lanes <= end; i += lanes) {
            for (std::size_t lane = 0; lane < lanes; ++lane) {
                const float x = logits_[i + lane];
                most[lane] = x > most[lane] ? x : most[lane];
                odd[lane] |= x == x ? 0u : 1u;
            }
        }
        for (; i < end; ++i) {
            most[0] = std::max(most[0], logits_[i]);
            odd[0] |= logits_[i] == logits_[i] ? 0u : 1u;
        }
        maxima_[b] = *std::ranges::max_element(most);
        if (std::ranges::count(odd, 0u) != lanes) sound_ = false;
    }
    void find_greatest() { greatest_ = *std::ranges::max_element(maxima_); }

    float nth(std::size_t rank) {
        const auto at = sorted_.begin() + static_cast<std::ptrdiff_t>(rank - 1);
        std::ranges::nth_element(sorted_, at, std::greater{});
        return *at;
    }

    std::span<float> logits_;
    std::vector<float> maxima_;
    std::vector<float> sorted_;
    std::vector<std::size_t> changed_;
    float greatest_ = 0;
    bool sound_ = false;
};

}  // namespace g4
