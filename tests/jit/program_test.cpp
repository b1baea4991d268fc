// What a request is compiled from: headers it reaches, options, and the key made of them.
#include "g4/jit/program.hpp"
#include "g4/jit/compiler.hpp"
#include "tests/support/temporary_folder.hpp"
#include <doctest/doctest.h>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;
using g4::kernel_request;
using g4::jit::header_map;
using g4::jit::program_maker;

const header_map headers{
    {"codegen/a/a.cuh", "#pragma once\n#include \"codegen/core/b.cuh\"\nint a;\n"},
    {"codegen/core/b.cuh", "  #  include \"codegen/core/c.cuh\"\n"},
    {"codegen/core/c.cuh", "int c;\n#include \"codegen/core/b.cuh\"\n"},
    {"codegen/other/d.cuh", "int d;\n"},
    {"codegen/sample/e.cuh", "#include <cub/block/block_scan.cuh>\n"},
};
const kernel_request request{"g4_k", "#include \"codegen/a/a.cuh\"\nvoid g4_k() {}\n"};

std::string inputs(const header_map& from, const kernel_request& of = request,
                   const std::string& arch = "sm_90a", const std::string& nvrtc = "13.0",
                   bool line_info = false) {
    const program_maker maker{from, {.search = {}, .line_info = line_info}};
    return program_maker::inputs(maker.make(of, arch), nvrtc);
}
header_map with(header_map from, const std::string& path, const std::string& text) {
    from[path] = text;
    return from;
}

}  // namespace

TEST_CASE("jit program: it holds the headers that the request reaches, and no others") {
    const auto program = program_maker{headers, {.search = {}}}.make(request, "sm_80");
    std::vector<std::string> paths;
    for (const auto& one : program.headers) paths.push_back(one.path);
    CHECK(paths ==
          std::vector<std::string>{"codegen/a/a.cuh", "codegen/core/b.cuh", "codegen/core/c.cuh"});
    CHECK(program.options[0] == "--gpu-architecture=sm_80");
}

TEST_CASE("jit program: the key changes with all that decides the code, and with nothing else") {
    const std::string base = inputs(headers);
    CHECK(inputs(headers) == base);
    CHECK(inputs(with(headers, "codegen/core/c.cuh", "int c; ")) != base);
    CHECK(inputs(with(headers, "codegen/other/d.cuh", "long d;")) == base);
    CHECK(inputs(headers, {"g4_k", request.text + " "}) != base);
    CHECK(inputs(headers, {"g4_m", request.text}) != base);
    CHECK(inputs(headers, request, "sm_89") != base);
    CHECK(inputs(headers, request, "sm_90a", "13.1") != base);
    CHECK(inputs(headers, request, "sm_90a", "13.0", true) != base);
}

TEST_CASE("jit program: text that moves from one header to another changes the key") {
    const auto first =
        with(with(headers, "codegen/core/b.cuh", "#include \"codegen/core/c.cuh\"\nx"),
             "codegen/core/c.cuh", "y");
    const auto second =
        with(with(headers, "codegen/core/b.cuh", "#include \"codegen/core/c.cuh\"\n"),
             "codegen/core/c.cuh", "xy");
    CHECK(inputs(first) != inputs(second));
}

TEST_CASE("jit program: a missing header is named with the one that wants it") {
    const auto broken = with(headers, "codegen/core/c.cuh", "#include \"codegen/core/gone.cuh\"");
    CHECK_THROWS_WITH_AS(inputs(broken),
                         doctest::Contains("codegen/core/c.cuh: expected a file of codegen/"),
                         g4::internal_error);
}

TEST_CASE("jit program: a kernel for Hopper is compiled for nothing else") {
    const kernel_request hopper{request.name, request.text, true};
    CHECK(!inputs(headers, hopper, "sm_90a").empty());
    CHECK_THROWS_WITH_AS(inputs(headers, hopper, "sm_100a"), doctest::Contains("got sm_100a"),
                         g4::device_error);
}

TEST_CASE("jit program: CUB is found in toolkits and Python packages; its release is in the key") {
    const kernel_request sampler{"g4_s", "#include \"codegen/sample/e.cuh\"\n"};
    CHECK_THROWS_WITH_AS(inputs(headers, sampler), doctest::Contains("expected CUB's headers"),
                         g4::device_error);
    const g4::testing::temporary_folder folder;
    const fs::path toolkit = folder.path() / "toolkit" / "include" / "cccl";
    const fs::path package =
        folder.path() / "env/lib/python3.11/site-packages/nvidia/cu13/include/cccl";
    for (const auto& place : {toolkit, package}) {
        fs::create_directories(place / "cub");
        std::ofstream{place / "cub" / "version.cuh"} << "3.0";
    }
    std::string keys[2];
    for (int i = 0; i < 2; ++i) {
        const g4::jit::toolkit_search search{{folder.path() / (i == 0 ? "toolkit" : "env")}};
        const auto program = program_maker{headers, {.search = search}}.make(sampler, "sm_80");
        CHECK(program.options.end()[-2] == "-I" + (i == 0 ? toolkit : package).string());
        keys[i] = program_maker::inputs(program, "13.0");
    }
    CHECK(keys[0] == keys[1]);
    std::ofstream{package / "cub" / "version.cuh"} << "3.1";
    const g4::jit::toolkit_search search{{folder.path() / "env"}};
    const auto program = program_maker{headers, {.search = search}}.make(sampler, "sm_80");
    CHECK(program_maker::inputs(program, "13.0") != keys[0]);
}

TEST_CASE("jit: without NVRTC the error says what was wanted and where it was looked for") {
    const g4::testing::temporary_folder folder;
    fs::create_directories(folder.path() / "lib64");
    const g4::jit::toolkit_search search{{folder.path()}};
    CHECK_THROWS_WITH_AS(g4::jit::nvrtc::open(search, {"libno-nvrtc.so.13"}),
                         doctest::Contains((folder.path() / "lib64").c_str()), g4::device_error);
    std::ofstream{folder.path() / "lib64" / "libno-nvrtc.so.13"} << std::string(100, 'x');
    CHECK_THROWS_WITH_AS(g4::jit::nvrtc::open(search, {"libno-nvrtc.so.13"}),
                         doctest::Contains("invalid ELF header"), g4::device_error);
}

TEST_CASE("jit: the report is read from the log, each kernel's own") {
    const std::string log =
        "ptxas info    : 0 bytes gmem\n"
        "ptxas info    : Compiling entry function 'g4_a' for 'sm_90a'\n"
        "ptxas info    : Function properties for g4_a\n"
        "    16 bytes stack frame, 12 bytes spill stores, 8 bytes spill loads\n"
        "ptxas info    : Used 122 registers, used 1 barriers, 16 bytes cumulative stack size, "
        "1184 bytes smem\n"
        "ptxas info    : Compiling entry function 'g4_ab' for 'sm_90a'\n"
        "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
        "ptxas info    : Used 40 registers\n";
    const auto first = g4::jit::parse_report(log, "g4_a"),
               second = g4::jit::parse_report(log, "g4_ab");
    CHECK(first.registers == 122);
    CHECK(first.stack_bytes == 16);
    CHECK(first.spill_store_bytes == 12);
    CHECK(first.spill_load_bytes == 8);
    CHECK(first.static_shared_bytes == 1184);
    CHECK(first.spills());
    CHECK(second.registers == 40);
    CHECK_FALSE(second.spills());
    CHECK(g4::jit::parse_report(log, "g4_b").registers == 0);
}

TEST_CASE("jit: the headers in the program are those of the source tree") {
    const header_map &embedded = g4::jit::embedded_headers(),
                     tree = g4::jit::read_headers(G4_SOURCE_DIR);
    CHECK(embedded.size() == tree.size());
    for (const auto& [path, text] : tree) {
        CAPTURE(path);
        REQUIRE(embedded.contains(path));
        CHECK(embedded.at(path) == text);
    }
    CHECK(g4::jit::embedded_headers().contains("codegen/core/depend.cuh"));
    CHECK_THROWS_AS(g4::jit::read_headers("/nowhere"), g4::input_error);
}
