// What rounding cost: the relative error of each linear, the worst ones last.
#pragma once
#include "g4/core/error.hpp"
#include "g4/passes/plan_print.hpp"
#include "g4/weights/quantize_linear.hpp"
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace g4::apps {

/// Collects what is known of each linear once it is rounded.
class error_report {
  public:
    void add(std::string name, std::int64_t rows, std::int64_t columns, const int4_linear& linear) {
        lines_.push_back({std::move(name), rows, columns, linear.relative_error()});
        error_ += linear.error;
        energy_ += linear.energy;
    }
    /// Over all linears: sqrt of the sum of squared changes over the sum of squares.
    double overall() const { return energy_ > 0 ? std::sqrt(error_ / energy_) : 0; }

    /// The `most` worst linears, the worst last; 0: all.
    std::string table(std::size_t most = 0) const {
        std::vector<line> sorted = lines_;
        std::stable_sort(sorted.begin(), sorted.end(), [](const line& left, const line& right) {
            return left.error < right.error;
        });
        const std::size_t first = most != 0 && sorted.size() > most ? sorted.size() - most : 0;
        std::string out;
        for (std::size_t i = first; i < sorted.size(); ++i) {
            const std::string error = percent(sorted[i].error);
            out +=
                concat("  ", std::string(error.size() < 8 ? 8 - error.size() : 0, ' '), error, "  ",
                       sorted[i].name, " [", sorted[i].rows, ", ", sorted[i].columns, "]\n");
        }
        return out;
    }
    std::size_t size() const { return lines_.size(); }
    static std::string percent(double share) { return fixed(100 * share, 2) + " %"; }

  private:
    struct line {
        std::string name;
        std::int64_t rows, columns;
        double error;
    };
    std::vector<line> lines_;
    double error_ = 0, energy_ = 0;
};

}  // namespace g4::apps
