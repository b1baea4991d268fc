// Cuts a distribution down to its likeliest part and draws from what is left, without sorting it.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <vector>

namespace g4 {

/// The nucleus of top_p. Entries fall into bins by value; only the bin in which the running sum
/// passes the wanted mass is sorted.
class nucleus {
  public:
    /// Sets to 0 all masses but the greatest ones: in falling order of their values, the lower
    /// index first, those before which less than `wanted` was kept. The greatest always stays.
    ///   masses[i] = e^((values[i] - greatest) / temperature)
    void keep(std::span<const float> values, std::span<float> masses, double wanted,
              float temperature) {
        const float greatest = *std::ranges::max_element(values);
        assign_bins(values, greatest, temperature);
        sums_.fill(0);
        for (std::size_t i = 0; i < masses.size(); ++i)
            sums_[bins_[i]] += static_cast<double>(masses[i]);
        double before = 0;
        std::size_t cut = 0;
        while (cut + 1 < bins && before + sums_[cut] < wanted) before += sums_[cut++];

        in_cut_.clear();
        for (std::size_t i = 0; i < masses.size(); ++i) {
            if (bins_[i] > cut) masses[i] = 0;
            if (bins_[i] == cut) in_cut_.push_back(i);
        }
        std::ranges::sort(in_cut_, [&](std::size_t a, std::size_t b) {
            return values[a] != values[b] ? values[a] > values[b] : a < b;
        });
        bool first = cut == 0;  // the greatest lies in bin 0
        for (const std::size_t i : in_cut_) {
            const double mass = static_cast<double>(masses[i]);
            if (!(before < wanted) && !first) masses[i] = 0;
            before += mass;
            first = false;
        }
    }

  private:
    static constexpr std::size_t bins = 4096;

    void assign_bins(std::span<const float> values, float greatest, float temperature) {
        constexpr float per_unit = static_cast<float>(bins) / 88.0f;  // e^-87 is the last mass
        constexpr float last = static_cast<float>(bins - 1);
        bins_.resize(values.size());
        for (std::size_t i = 0; i < values.size(); ++i) {
            const float bin = (greatest - values[i]) / temperature * per_unit;
            bins_[i] =
                static_cast<std::uint16_t>(static_cast<std::int32_t>(bin < last ? bin : last));
        }
    }

    std::array<double, bins> sums_{};
    std::vector<std::uint16_t> bins_;
    std::vector<std::size_t> in_cut_;
};

/// The first entry whose running sum passes `unit`, in [0, 1), of the whole. Entries without mass
/// are never chosen; at least one must have some.
inline std::size_t choose_by_mass(std::span<const float> masses, double unit) {
    constexpr std::size_t stretch = 256;
    const auto part = [&](std::size_t s) {
        return masses.subspan(s * stretch, std::min(stretch, masses.size() - s * stretch));
    };
    std::vector<double> sums((masses.size() + stretch - 1) / stretch);
    for (std::size_t s = 0; s < sums.size(); ++s)
        sums[s] = std::accumulate(part(s).begin(), part(s).end(), 0.0);
    const double target = unit * std::accumulate(sums.begin(), sums.end(), 0.0);

    double before = 0;
    std::size_t where = 0;
    for (std::size_t s = 0; s < sums.size(); ++s) {
        if (sums[s] > 0) where = s;
        if (before + sums[s] > target) break;
        if (s + 1 < sums.size()) before += sums[s];
    }
    std::size_t chosen = 0;  // the last with mass, should rounding leave none behind the target
    for (std::size_t i = 0; i < part(where).size(); ++i) {
        const float mass = part(where)[i];
        if (mass <= 0) continue;
        chosen = where * stretch + i;
        before += static_cast<double>(mass);
        if (before > target) break;
    }
    return chosen;
}

}  // namespace g4
