// Counters, gauges and histograms, and their text form for Prometheus.
// Source: Prometheus text exposition format 0.0.4.
#pragma once
#include "g4/core/error.hpp"
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace g4::serve {

struct metric_label {
    std::string name, value;
};

/// name="value",… with the escapes of the format.
inline std::string label_text(const std::vector<metric_label>& labels) {
    std::string out;
    for (const metric_label& label : labels) {
        if (!out.empty()) out += ',';
        out += label.name + "=\"";
        for (const char c : label.value) {
            if (c == '\\' || c == '"') out += '\\';
            if (c == '\n') out += "\\n";
            else out += c;
        }
        out += '"';
    }
    return out;
}

/// One number that goes up, or up and down; which of the two, its family says.
class metric_value {
  public:
    void add(double by = 1) { value_ += by; }
    void set(double to) { value_ = to; }
    double value() const { return value_; }

  private:
    double value_ = 0;
};

/// Counts by upper bound. The bounds ascend; one without end is added.
class metric_histogram {
  public:
    explicit metric_histogram(std::vector<double> bounds)
        : bounds_{std::move(bounds)}, counts_(bounds_.size() + 1, 0) {}

    void observe(double value) {
        const auto bound = std::lower_bound(bounds_.begin(), bounds_.end(), value);
        ++counts_[static_cast<std::size_t>(bound - bounds_.begin())];
        sum_ += value;
    }
    const std::vector<double>& bounds() const { return bounds_; }
    const std::vector<std::uint64_t>& counts() const { return counts_; }
    double sum() const { return sum_; }

  private:
    std::vector<double> bounds_;
    std::vector<std::uint64_t> counts_;
    double sum_ = 0;
};

/// Holds every metric of a server. Not thread-safe: the loop's thread counts and prints.
class metrics_registry {
  public:
    /// Labels that every sample carries.
    explicit metrics_registry(std::vector<metric_label> common = {}) : common_{std::move(common)} {}

    metric_value& counter(std::string_view name, std::string_view help,
                          std::vector<metric_label> labels = {}) {
        return value(name, help, "counter", std::move(labels));
    }
    metric_value& gauge(std::string_view name, std::string_view help,
                        std::vector<metric_label> labels = {}) {
        return value(name, help, "gauge", std::move(labels));
    }
    metric_histogram& histogram(std::string_view name, std::string_view help,
                                std::vector<double> bounds) {
        family& of = find(name, help, "histogram");
        const std::string key = label_text(common_);
        if (const auto known = of.histograms.find(key); known != of.histograms.end())
            return *known->second;
        return *of.histograms.emplace(key, &histograms_.emplace_back(std::move(bounds)))
                    .first->second;
    }

    /// All families in the order in which they were first asked for.
    std::string text() const {
        std::string out;
        for (const family& of : families_) {
            out +=
                concat("# HELP ", of.name, ' ', of.help, "\n# TYPE ", of.name, ' ', of.type, '\n');
            for (const auto& [labels, value] : of.values)
                out += concat(sample(of.name, "", labels), ' ', number(value->value()), '\n');
            for (const auto& [labels, histogram] : of.histograms)
                append_histogram(out, of.name, labels, *histogram);
        }
        return out;
    }

  private:
    struct family {
        std::string name, help, type;
        std::map<std::string, metric_value*> values;  // by label text
        std::map<std::string, metric_histogram*> histograms;
    };

    family& find(std::string_view name, std::string_view help, std::string_view type) {
        for (family& known : families_)
            if (known.name == name) return known;
        return families_.emplace_back(
            family{std::string{name}, std::string{help}, std::string{type}, {}, {}});
    }
    metric_value& value(std::string_view name, std::string_view help, std::string_view type,
                        std::vector<metric_label> labels) {
        family& of = find(name, help, type);
        labels.insert(labels.begin(), common_.begin(), common_.end());
        const std::string key = label_text(labels);
        if (const auto known = of.values.find(key); known != of.values.end()) return *known->second;
        return *of.values.emplace(key, &values_.emplace_back()).first->second;
    }
    static std::string number(double value) {
        if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
        return concat(value);
    }
    static std::string sample(const std::string& name, std::string_view suffix,
                              const std::string& labels) {
        return labels.empty() ? concat(name, suffix) : concat(name, suffix, '{', labels, '}');
    }
    static void append_histogram(std::string& out, const std::string& name,
                                 const std::string& labels, const metric_histogram& of) {
        const std::string comma = labels.empty() ? "" : ",";
        std::uint64_t total = 0;
        for (std::size_t i = 0; i < of.counts().size(); ++i) {
            total += of.counts()[i];
            const std::string bound = i < of.bounds().size() ? number(of.bounds()[i]) : "+Inf";
            out += concat(sample(name, "_bucket", concat(labels, comma, "le=\"", bound, '"')), ' ',
                          total, '\n');
        }
        out += concat(sample(name, "_sum", labels), ' ', number(of.sum()), '\n');
        out += concat(sample(name, "_count", labels), ' ', total, '\n');
    }

    std::vector<metric_label> common_;
    std::deque<family> families_;  // deques: what is handed out stays where it is
    std::deque<metric_value> values_;
    std::deque<metric_histogram> histograms_;
};

}  // namespace g4::serve
