// A bundle comes back as it was written, and refuses in words what it was not made for.
#include "g4/jit/bundle.hpp"
#include "tests/support/temporary_folder.hpp"
#include <doctest/doctest.h>
#include <fstream>
#include <string>
#include <vector>

namespace {

namespace jit = g4::jit;
using g4::testing::temporary_folder;

jit::bundle example() {
    jit::bundle out;
    out.header = {.g4_version = "0.1.0",
                  .codegen = "c0de",
                  .model = "beef",
                  .arch = "sm_90a",
                  .nvrtc = "13.0",
                  .driver = 13000};
    out.plan = "launch 0: g4_a\nplan 3\n";
    for (int i = 0; i < 3; ++i) {
        jit::built_kernel one;
        one.request = {"g4_" + std::to_string(i), "text\nof " + std::to_string(i), i == 1};
        one.cubin = std::string(5000, static_cast<char>(i)) + "\nname 3\n";
        one.report.registers = 40 + i;
        out.kernels.push_back(one);
    }
    return out;
}
std::string content(const std::filesystem::path& file) { return g4::read_file(file); }

std::string refusal(const jit::bundle_header& wanted) {
    try {
        jit::check_bundle(example().header, wanted, "e4b.g4");
    } catch (const g4::input_error& error) {
        return error.what();
    }
    return "";
}

}  // namespace

TEST_CASE("bundle: it comes back as it was written") {
    const temporary_folder folder;
    const auto file = folder.path() / "model.g4";
    jit::write_bundle(file, example());
    const jit::bundle back = jit::read_bundle(file), want = example();
    CHECK(back.header.model == "beef");
    CHECK(back.header.driver == 13000);
    CHECK(back.plan == want.plan);
    REQUIRE(back.kernels.size() == 3);
    for (std::size_t i = 0; i < 3; ++i) {
        CHECK(back.kernels[i].request.name == want.kernels[i].request.name);
        CHECK(back.kernels[i].request.text == want.kernels[i].request.text);
        CHECK(back.kernels[i].request.hopper == want.kernels[i].request.hopper);
        CHECK(back.kernels[i].cubin == want.kernels[i].cubin);
        CHECK(back.kernels[i].report.registers == want.kernels[i].report.registers);
    }
    jit::write_bundle(file, {});
    CHECK(jit::read_bundle(file).kernels.empty());
}

TEST_CASE("bundle: a damaged or cut file, another file and another form are refused") {
    const temporary_folder folder;
    const auto file = folder.path() / "model.g4";
    jit::write_bundle(file, example());
    const std::string good = content(file);
    for (std::size_t at = 0; at < good.size(); at += 131) {
        std::string bad = good;
        bad[at] = static_cast<char>(bad[at] ^ 1);
        std::ofstream{file, std::ios::binary} << bad;
        REQUIRE_THROWS_AS(jit::read_bundle(file), g4::input_error);
        std::ofstream{file, std::ios::binary} << good.substr(0, at);
        REQUIRE_THROWS_AS(jit::read_bundle(file), g4::input_error);
    }
    std::ofstream{file, std::ios::binary} << good.substr(0, good.size() - 1);
    CHECK_THROWS_WITH_AS(jit::read_bundle(file), doctest::Contains("the file is damaged"),
                         g4::input_error);
    std::ofstream{file, std::ios::binary} << "g4-bundle 7 and more\n";
    CHECK_THROWS_WITH_AS(jit::read_bundle(file), doctest::Contains("got \"g4-bundle 7 \""),
                         g4::input_error);
    std::ofstream{file, std::ios::binary} << "GGUF";
    CHECK_THROWS_WITH_AS(jit::read_bundle(file), doctest::Contains("got another file"),
                         g4::input_error);
    CHECK_THROWS_AS(jit::read_bundle(folder.path() / "none"), g4::input_error);
}

TEST_CASE("bundle: a file whose hash is right but whose fields are not is refused") {
    const temporary_folder folder;
    const auto file = folder.path() / "model.g4";
    for (const std::string body : {"", "g4 99\nshort\n", "g4 x\n\n", "arch 0\n\n"}) {
        std::ofstream{file, std::ios::binary} << "g4-bundle 1 " << g4::sha256(body) << "\n" << body;
        CHECK_THROWS_WITH_AS(jit::read_bundle(file), doctest::Contains("expected the field g4"),
                             g4::input_error);
    }
}

TEST_CASE("bundle: one made for something else is refused, and says for what") {
    jit::bundle_header wanted = example().header;
    CHECK(refusal(wanted).empty());
    wanted.driver = 13010;
    CHECK(refusal(wanted).empty());
    wanted.driver = 12080;
    CHECK(refusal(wanted).find("expected a driver of CUDA 13 or later for code of NVRTC 13.0, got "
                               "one of CUDA 12.8") != std::string::npos);
    wanted = example().header;
    wanted.arch = "sm_100a";
    CHECK(
        refusal(wanted).find("e4b.g4: expected a bundle for the architecture sm_100a, got one for "
                             "sm_90a") == 0);
    wanted = example().header;
    wanted.g4_version = "0.2.0";
    CHECK(refusal(wanted).find("g4 0.2.0, got one for 0.1.0") != std::string::npos);
    wanted = example().header;
    wanted.model = "cafe";
    CHECK(refusal(wanted).find("hash cafe, got one for beef") != std::string::npos);
    wanted = example().header;
    wanted.codegen = "0ther";
    CHECK(refusal(wanted).find("the device code 0ther") != std::string::npos);
}

TEST_CASE("bundle: the kernels of a plan's requests come in their order, or the missing is named") {
    const jit::bundle from = example();
    std::vector<g4::kernel_request> requests{from.kernels[2].request, from.kernels[0].request};
    const auto found = jit::kernels_of(from, requests, "e4b.g4");
    REQUIRE(found.size() == 2);
    CHECK(found[0].request.name == "g4_2");
    CHECK(found[1].cubin == from.kernels[0].cubin);
    requests[1].text += " ";
    CHECK_THROWS_WITH_AS(jit::kernels_of(from, requests, "e4b.g4"),
                         doctest::Contains("expected the kernel g4_0 among the bundle's 3"),
                         g4::input_error);
}

TEST_CASE("bundle: the oldest driver follows the compiler's major version") {
    CHECK(jit::oldest_driver("13.0") == 13000);
    CHECK(jit::oldest_driver("12.9") == 12000);
}

TEST_CASE("bundle: the hash of the device code changes with any of it") {
    const jit::header_map one{{"codegen/a.cuh", "x"}, {"codegen/b.cuh", "y"}};
    CHECK(jit::hash_of(one) == jit::hash_of(one));
    CHECK(jit::hash_of(one) != jit::hash_of({{"codegen/a.cuh", "xy"}, {"codegen/b.cuh", ""}}));
}
