// Where the parts of a program report what they do: a sink that main() makes and passes down.
#pragma once
#include "g4/core/error.hpp"
#include <functional>
#include <string>
#include <utility>

namespace g4 {

enum class log_level { debug, info, warning, error };

/// Takes finished lines without a newline. Must be safe to call from any thread.
class logger {
  public:
    using sink = std::function<void(log_level, const std::string&)>;
    logger() = default;
    explicit logger(sink to) : to_{std::move(to)} {}

    template <class... Parts> void info(const Parts&... parts) const {
        write(log_level::info, parts...);
    }
    template <class... Parts> void warning(const Parts&... parts) const {
        write(log_level::warning, parts...);
    }
    template <class... Parts> void error(const Parts&... parts) const {
        write(log_level::error, parts...);
    }
    template <class... Parts> void debug(const Parts&... parts) const {
        write(log_level::debug, parts...);
    }

  private:
    template <class... Parts> void write(log_level level, const Parts&... parts) const {
        if (to_) to_(level, concat(parts...));
    }
    sink to_;
};

}  // namespace g4
