// Compiles with NVRTC, where it is: no GPU is needed. Every header of the device code alone, for
// every architecture; requests through the cache, on several threads.
#include "g4/jit/build.hpp"
#include "g4/jit/headers.hpp"
#include "tests/support/temporary_folder.hpp"
#include <cstdio>
#include <doctest/doctest.h>
#include <mutex>
#include <optional>
#include "tests/support/nvrtc.hpp"
#include <string>
#include <vector>

namespace {

using g4::kernel_request;
namespace jit = g4::jit;

// Null, after a line that says so, without NVRTC.
const jit::compiler* compiler() {
    static const std::optional<jit::compiler> only = []() -> std::optional<jit::compiler> {
        try {
            return g4::testing::open_compiler();
        } catch (const g4::device_error& error) {
            std::printf("SKIPPED: no NVRTC: %s\n", error.what());
            return std::nullopt;
        }
    }();
    return only ? &*only : nullptr;
}

std::vector<kernel_request> requests(int count) {
    std::vector<kernel_request> out;
    for (int i = 0; i < count; ++i) {
        const std::string name = "g4_test_" + std::to_string(i);
        out.push_back({name,
                       "#include \"codegen/core/number.cuh\"\n"
                       "struct args { float* out; };\n"
                       "extern \"C\" __global__ void " +
                           name + "(const __grid_constant__ args a) { a.out[0] = " +
                           std::to_string(i) + "; }\n"});
    }
    return out;
}

}  // namespace

TEST_CASE("nvrtc: every header of the device code compiles alone, for every architecture") {
    if (compiler() == nullptr) return;
    for (const auto& [path, text] : jit::embedded_headers())
        for (const char* arch : {"sm_80", "sm_89", "sm_90a", "sm_100a", "sm_120"}) {
            const kernel_request alone{
                "g4_alone",
                "#include \"" + path + "\"\nextern \"C\" __global__ void g4_alone() {}\n"};
            CAPTURE(path);
            CAPTURE(arch);
            const auto program = compiler()->program(alone, arch);
            jit::compiled_kernel made;
            CHECK_NOTHROW(made = compiler()->compile(program, alone.name));
            CHECK(made.log.find("warning") == std::string::npos);
        }
}

TEST_CASE("nvrtc: an error holds the kernel's name and the compiler's words") {
    if (compiler() == nullptr) return;
    const kernel_request broken{"g4_broken", "__global__ void g4_broken() { no_such(); }"};
    CHECK_THROWS_WITH_AS(compiler()->compile(compiler()->program(broken, "sm_80"), broken.name),
                         doctest::Contains("no_such"), g4::device_error);
    CHECK_THROWS_WITH_AS(compiler()->compile(compiler()->program(broken, "sm_1"), broken.name),
                         doctest::Contains("g4_broken"), g4::device_error);
}

TEST_CASE("nvrtc: a register spill is reported by the kernel's name") {
    if (compiler() == nullptr) return;
    std::string text =
        "extern \"C\" __global__ void __launch_bounds__(1024) g4_spills(float* x) {\n"
        "float v[200];\n#pragma unroll\n"
        "for (int i = 0; i < 200; ++i) v[i] = x[i * 1024 + threadIdx.x];\n"
        "__syncthreads();\n#pragma unroll\n"
        "for (int i = 0; i < 200; ++i) x[(199 - i) * 1024 + threadIdx.x] = v[i];\n}";
    std::string warned;
    const g4::logger log{[&](g4::log_level level, const std::string& line) {
        if (level == g4::log_level::warning) warned += line;
    }};
    jit::kernel_builder builder{*compiler(), std::nullopt, {.threads = 1, .log = log}};
    const std::vector<kernel_request> asked{{"g4_spills", text}};
    CHECK(builder.build(asked, "sm_80")[0].report.spills());
    CHECK(warned.find("g4_spills spills") != std::string::npos);
}

TEST_CASE("nvrtc: a second build takes all from the cache, a changed header compiles anew") {
    if (compiler() == nullptr) return;
    const g4::testing::temporary_folder folder;
    const auto asked = requests(6);
    const auto compiled = [&](jit::header_map headers, const std::string& arch) {
        jit::kernel_builder builder{
            g4::testing::open_compiler(std::move(headers)), jit::kernel_cache{folder.path()},
            {.threads = 3}};
        int count = 0;
        for (const auto& one : builder.build(asked, arch)) {
            CHECK(one.cubin.size() > 1000);
            CHECK(one.report.registers > 0);
            count += one.from_cache ? 0 : 1;
        }
        return count;
    };
    jit::header_map headers = jit::embedded_headers();
    CHECK(compiled(headers, "sm_80") == 6);
    CHECK(compiled(headers, "sm_80") == 0);
    CHECK(compiled(headers, "sm_90a") == 6);
    headers.at("codegen/core/number.cuh") += "\n// changed\n";
    CHECK(compiled(headers, "sm_80") == 6);
}

TEST_CASE("nvrtc: results keep the order of the requests; of several errors the first is told") {
    if (compiler() == nullptr) return;
    auto asked = requests(9);
    jit::kernel_builder builder{*compiler(), std::nullopt, {.threads = 4}};
    const auto built = builder.build(asked, "sm_80");
    for (std::size_t i = 0; i < asked.size(); ++i) CHECK(built[i].request.name == asked[i].name);
    asked[2].text = "#error two\n";
    CHECK_THROWS_WITH_AS(builder.build(asked, "sm_80"), doctest::Contains("g4_test_2"),
                         g4::device_error);
    CHECK(builder.build({}, "sm_80").empty());
}

TEST_CASE("nvrtc: a cache that cannot be written is told once, and the kernels are there") {
    if (compiler() == nullptr) return;
    const g4::testing::temporary_folder folder;
    const jit::kernel_cache cache{folder.path() / "gone"};
    std::filesystem::remove_all(cache.folder());
    std::string warned;
    const g4::logger log{[&](g4::log_level level, const std::string& line) {
        static std::mutex one_at_a_time;
        const std::lock_guard lock{one_at_a_time};
        if (level == g4::log_level::warning) warned += line;
    }};
    jit::kernel_builder builder{*compiler(), cache, {.threads = 2, .log = log}};
    CHECK(builder.build(requests(4), "sm_80").size() == 4);
    const auto at = warned.find("kernels are not cached");
    CHECK(at != std::string::npos);
    CHECK(warned.find("kernels are not cached", at + 1) == std::string::npos);
}
