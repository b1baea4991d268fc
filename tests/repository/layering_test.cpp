// Who may include whom: reads every include of the library and of the models.
#include "tests/support/source_tree.hpp"
#include <doctest/doctest.h>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace {

using g4::testing::include_line;
using g4::testing::source_file;

// A layer is a folder of include/g4, a back end, or the models. It may include itself and what is
// listed: layers, or single headers where only the gate of a layer is open.
const std::map<std::string, std::vector<std::string>, std::less<>> may_include = {
    {"core", {}},
    {"graph", {"core"}},
    {"ops", {"core", "graph"}},
    {"passes", {"core", "graph", "ops"}},
    {"emit", {"core", "graph", "passes"}},
    {"jit", {"core", "emit"}},
    {"gate", {"core"}},
    {"weights", {"core", "g4/gate/weights.hpp"}},  // the form that it hands over
    {"text", {"core"}},
    {"media", {"core"}},
    {"backends/reference", {"core", "graph", "ops", "gate"}},
    {"backends/cpu", {"core", "graph", "ops", "passes", "gate"}},
    {"backends/cuda", {"core", "graph", "passes", "gate", "emit", "runtime", "codegen/config"}},
    {"runtime", {"core", "emit", "jit"}},
    {"engine", {"core", "gate", "passes"}},
    {"serve", {"core", "g4/engine/engine.hpp", "g4/engine/request.hpp", "g4/text/text.hpp",
               "g4/media/media.hpp"}},
    {"g4.hpp", {"core", "graph", "ops"}},
    {"models", {"g4.hpp", "core", "weights", "text"}},
};

// The layer of a header named as includes name it; empty for what is none of ours.
std::string layer_of(std::string_view name) {
    if (name.starts_with("models/")) return "models";
    if (name.starts_with("codegen/"))
        return name.ends_with(".hpp") ? "codegen/config" : "codegen";  // .cuh is for NVRTC alone
    if (!name.starts_with("g4/")) return "";
    name.remove_prefix(3);
    std::size_t end = name.find('/');
    if (name.starts_with("backends/")) end = name.find('/', end + 1);
    return std::string{name.substr(0, end)};
}

std::string layer_of(const source_file& file) {
    const std::string_view path = file.path;
    return layer_of(path.starts_with("include/") ? path.substr(8) : path);
}

// What is wrong with one include, in words; empty when nothing is.
std::string objection(const source_file& file, const include_line& include) {
    const std::string from = layer_of(file), to = layer_of(include.name);
    const std::string where = file.path + ":" + std::to_string(include.line) + ": ";
    if (to.empty() && !include.quoted) return "";
    if (to.empty()) return where + "expected g4/... or models/..., got " + include.name;
    const auto rule = may_include.find(from);
    if (rule == may_include.end()) return where + "expected a layer of the table, got " + from;
    if (from == to) return "";
    for (const std::string& allowed : rule->second)
        if (allowed == to || allowed == include.name) return "";
    return where + from + " may not include " + include.name;
}

std::vector<std::string> objections(const std::vector<source_file>& files) {
    std::vector<std::string> found;
    for (const source_file& file : files)
        for (const include_line& include : g4::testing::includes_of(file))
            if (auto words = objection(file, include); !words.empty()) found.push_back(words);
    return found;
}

std::vector<std::string> objections(std::string path, const std::string& name) {
    source_file file{std::move(path), {"#include \"" + name + "\""}};
    return objections({std::move(file)});
}

}  // namespace

TEST_CASE("layering: every include of the library and the models keeps to the table") {
    const auto files =
        g4::testing::read_tree(G4_SOURCE_DIR, {"include/g4", "models"}, {".hpp", ".cpp"});
    REQUIRE(files.size() > 30);
    const auto found = objections(files);
    INFO("findings:", g4::testing::listed(found));
    CHECK(found.empty());
}

TEST_CASE("layering: an include of a layer that is not listed is found") {
    CHECK(objections("include/g4/engine/engine.hpp", "g4/text/tokenizer.hpp") ==
          std::vector<std::string>{
              "include/g4/engine/engine.hpp:1: engine may not include g4/text/tokenizer.hpp"});
    CHECK(objections({{"include/g4/core/a.hpp", {" #  include <g4/ops/scale.hpp>"}}}).size() == 1);
    CHECK(objections("include/g4/backends/cpu/a.hpp", "g4/backends/reference/a.hpp").size() == 1);
    CHECK(objections("include/g4/serve/openai.hpp", "models/gemma4/chat.hpp").size() == 1);
    CHECK(objections("include/g4/serve/openai.hpp", "g4/engine/scheduler.hpp").size() == 1);
    CHECK(objections("include/g4/elsewhere/a.hpp", "g4/core/error.hpp").size() == 1);
    CHECK(objections("include/g4/core/error.hpp", "dtype.hpp").size() == 1);
}

TEST_CASE("layering: the layer itself, listed layers and foreign headers are free") {
    CHECK(objections("include/g4/passes/plan.hpp", "g4/passes/fuse.hpp").empty());
    CHECK(objections("include/g4/passes/plan.hpp", "g4/ops/check.hpp").empty());
    CHECK(objections("include/g4/serve/openai.hpp", "g4/engine/request.hpp").empty());
    CHECK(objections("models/gemma4/model.hpp", "g4/g4.hpp").empty());
    CHECK(objections({{"include/g4/text/bpe.hpp", {"#include <boost/json.hpp>"}}}).empty());
}

TEST_CASE("layering: only apps, tests and benchmarks include the models") {
    for (const auto& [layer, allowed] : may_include)
        for (const std::string& name : allowed) CHECK_MESSAGE(name != "models", layer);
}
