// Stop texts are found however an answer is cut, and nothing that may become one is let out.
#include "g4/serve/stop_texts.hpp"
#include <doctest/doctest.h>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace {

using g4::serve::stop_search;
using g4::serve::stop_texts;

struct outcome {
    std::string text;
    std::optional<std::string> stop;
    bool operator==(const outcome&) const = default;
};

// What the definition says, without state: of all places the first at which a stop text ends, of
// those that end there the longest.
outcome expected(const std::string& text, const std::vector<std::string>& stops) {
    for (std::size_t end = 1; end <= text.size(); ++end) {
        std::optional<std::string> found;
        for (const std::string& stop : stops)
            if (stop.size() <= end && text.compare(end - stop.size(), stop.size(), stop) == 0 &&
                (!found || stop.size() > found->size()))
                found = stop;
        if (found) return {text.substr(0, end - found->size()), found};
    }
    return {text, std::nullopt};
}

outcome in_pieces(const std::string& text, const std::vector<std::string>& stops,
                  std::mt19937& random) {
    const stop_texts prepared{stops};
    stop_search search{prepared};
    outcome out;
    for (std::size_t at = 0; at < text.size() && !out.stop;) {
        const std::size_t size = 1 + random() % 4;
        out.stop = search.push(std::string_view{text}.substr(at, size), out.text);
        at += size;
    }
    if (!out.stop) out.text += search.release();
    return out;
}

}  // namespace

TEST_CASE("stop_texts: random texts of few letters stop where the definition says") {
    std::mt19937 random{1};
    const auto word = [&](std::size_t most) {
        std::string out(1 + random() % most, 'a');
        for (char& c : out) c = static_cast<char>('a' + random() % 2);
        return out;
    };
    for (int round = 0; round < 20'000; ++round) {
        std::vector<std::string> stops;
        for (std::size_t i = 0, n = random() % 4; i < n; ++i) stops.push_back(word(6));
        const std::string text = word(24);
        INFO("text ", text, ", round ", round);
        CHECK(in_pieces(text, stops, random) == expected(text, stops));
    }
}

TEST_CASE("stop_texts: what may become a stop text is held back, no more than that") {
    const stop_texts stops{{"###", "#!"}};
    stop_search search{stops};
    std::string out;
    CHECK_FALSE(search.push("a##", out));
    CHECK(out == "a");
    CHECK_FALSE(search.push("b", out));
    CHECK(out == "a##b");
    CHECK_FALSE(search.push("#", out));
    CHECK(search.push("!rest", out) == "#!");
    CHECK(out == "a##b");
}

TEST_CASE("stop_texts: the released text does not take part in a later match") {
    const stop_texts stops{{"ab"}};
    stop_search search{stops};
    std::string out;
    CHECK_FALSE(search.push("xa", out));
    CHECK(search.release() == "a");
    CHECK_FALSE(search.push("b", out));
    CHECK(out == "xb");
}
