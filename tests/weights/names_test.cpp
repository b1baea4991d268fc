// Names in canonical form, all their spellings, and how far two names are apart.
#include "g4/weights/names.hpp"
#include <algorithm>
#include <doctest/doctest.h>
#include <string>
#include <vector>

namespace {

g4::weight_name_rules rules() {
    g4::weight_name_rules out;
    out.prefixes = {"model.", "language_model.", "model."};
    return out;
}

}  // namespace

TEST_CASE("names: prefixes go once each, in their order") {
    const g4::weight_name_rules r = rules();
    for (const char* name : {"layers.0.w", "model.layers.0.w", "language_model.layers.0.w",
                             "language_model.model.layers.0.w", "model.language_model.layers.0.w",
                             "model.language_model.model.layers.0.w"})
        CHECK_MESSAGE(r.canonical(name) == "layers.0.w", name);
    CHECK(r.canonical("language_model.language_model.w") == "language_model.w");
    CHECK(r.canonical("models.w") == "models.w");
}

TEST_CASE("names: every spelling has the canonical name that it was made of") {
    const g4::weight_name_rules r = rules();
    const std::vector<std::string> all = r.spellings("layers.0.w");
    CHECK(all.size() == 8);
    for (const std::string& name : all) CHECK(r.canonical(name) == "layers.0.w");
    for (const char* name :
         {"layers.0.w", "model.language_model.layers.0.w", "language_model.model.layers.0.w"})
        CHECK_MESSAGE(std::find(all.begin(), all.end(), name) != all.end(), name);
}

TEST_CASE("names: a pattern of names to ignore matches the whole name only") {
    g4::weight_name_rules r = rules();
    r.ignored.emplace_back("eyes\\..*");
    CHECK(r.ignores("eyes.a"));
    CHECK_FALSE(r.ignores("two.eyes.a"));
    CHECK_FALSE(r.ignores("eyes"));
}

TEST_CASE("names: the edit distance counts what is put in, taken out and replaced") {
    CHECK(g4::edit_distance("", "") == 0);
    CHECK(g4::edit_distance("abc", "") == 3);
    CHECK(g4::edit_distance("", "ab") == 2);
    CHECK(g4::edit_distance("kitten", "sitting") == 3);
    CHECK(g4::edit_distance("norm", "nrom") == 2);
}
