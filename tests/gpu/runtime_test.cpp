// The runtime on a device: memory, copies, launches in order and overlapped, replays, threads.
#include "g4/runtime/tensor_map.hpp"
#include "tests/support/gpu.hpp"
#include <cstdlib>
#include <doctest/doctest.h>
#include <filesystem>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

namespace {

using g4::kernel_request;
using g4::launch_shape;
using g4::testing::open_gpu;

struct add_args {
    int* values;
    int count, add;
};

// Adds to every value; waits for the kernel in front of it, which it may overlap.
kernel_request add_request() {
    return {.name = "g4_test_add", .text = R"(
#include "codegen/core/depend.cuh"
struct add_args { int* values; int count, add; };
extern "C" __global__ void g4_test_add(const __grid_constant__ add_args args) {
    g4k::let_next_start();
    g4k::wait_for_inputs();
    const int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (at < args.count) args.values[at] = args.values[at] * 3 + args.add;
}
)"};
}

// What `times` launches with add = 0, 1, … make of a value.
int expected(int value, int times) {
    for (int i = 0; i < times; ++i) value = static_cast<int>(unsigned(value) * 3u + unsigned(i));
    return value;
}

constexpr int count = 100'003;
launch_shape shape() { return {.grid_x = (count + 255) / 256, .threads = 256}; }
std::vector<int> numbers() {
    std::vector<int> out(count);
    std::iota(out.begin(), out.end(), 0);
    return out;
}
bool all_expected(const std::vector<int>& values, int times) {
    for (int i = 0; i < count; ++i)
        if (values[static_cast<std::size_t>(i)] != expected(i, times)) return false;
    return true;
}

}  // namespace

TEST_CASE("gpu: the device tells its name, architecture and sizes") {
    auto* gpu = open_gpu();
    if (gpu == nullptr) return;
    const g4::device_info& info = gpu->info();
    MESSAGE(info.name << ", " << info.arch << ", " << info.multiprocessors << " multiprocessors, "
                      << info.shared_bytes_per_block << " bytes shared, L2 " << info.l2_bytes
                      << ", driver " << info.driver_version);
    CHECK(info.arch.starts_with("sm_"));
    CHECK(info.multiprocessors > 0);
    CHECK(info.shared_bytes_per_block > 48 << 10);
    CHECK(gpu->device().memory().free_bytes <= info.memory_bytes);
}

TEST_CASE("gpu: launches that may overlap see what those in front of them wrote") {
    auto* gpu = open_gpu();
    if (gpu == nullptr) return;
    const g4::kernel& add = gpu->compile(add_request());
    for (const bool programmatic : {false, true}) {
        const auto values = gpu->upload(numbers());
        for (int i = 0; i < 50; ++i)
            gpu->stream().launch(add, shape(), add_args{values.data(), count, i}, programmatic);
        gpu->stream().synchronize();
        CHECK(all_expected(gpu->download(values), 50));
    }
}

TEST_CASE("gpu: a replay does what was captured, each time it is launched") {
    auto* gpu = open_gpu();
    if (gpu == nullptr) return;
    const g4::kernel& add = gpu->compile(add_request());
    const auto values = gpu->filled<int>(count), from = gpu->upload(numbers());
    const g4::stream side{gpu->device()};
    const g4::event begun{gpu->device()}, copied{gpu->device()};
    const g4::replay steps = gpu->stream().capture([&] {
        gpu->stream().record(begun);
        side.wait(begun);
        side.copy_on_device(values.data(), from.data(), values.bytes());
        side.record(copied);
        gpu->stream().wait(copied);
        for (int i = 0; i < 20; ++i)
            gpu->stream().launch(add, shape(), add_args{values.data(), count, i});
    });
    CHECK(steps.nodes() == 21);
    CHECK(gpu->download(values)[5] == 0);
    gpu->stream().upload(steps);
    for (int round = 0; round < 3; ++round) gpu->stream().launch(steps);
    CHECK(all_expected(gpu->download(values), 20));
}

TEST_CASE("gpu: a capture whose body throws leaves the stream usable") {
    auto* gpu = open_gpu();
    if (gpu == nullptr) return;
    const auto broken = [] { throw g4::input_error{"no"}; };
    CHECK_THROWS_AS(gpu->stream().capture(broken), g4::input_error);
    CHECK(gpu->download(gpu->upload(numbers())) == numbers());
}

TEST_CASE("gpu: another thread binds the device and uses its own stream") {
    auto* gpu = open_gpu();
    if (gpu == nullptr) return;
    const g4::kernel add = gpu->compile(add_request());
    std::vector<char> good(4, 0);
    {
        std::vector<std::jthread> threads;
        for (char& one : good)
            threads.emplace_back([&] {
                gpu->device().use();
                const g4::stream mine{gpu->device()};
                const g4::pinned_buffer pinned{gpu->device(), count * sizeof(int)};
                const g4::device_buffer values{gpu->device(), count * sizeof(int)};
                std::ranges::copy(numbers(), pinned.as<int>().begin());
                mine.copy_to_device(values.data(), pinned.data(), pinned.size());
                for (int i = 0; i < 30; ++i)
                    mine.launch(add, shape(), add_args{values.as<int>(), count, i});
                mine.copy_to_host(pinned.data(), values.data(), pinned.size());
                mine.synchronize();
                one = all_expected({pinned.as<int>().begin(), pinned.as<int>().end()}, 30);
            });
    }
    for (const char one : good) CHECK(one == 1);
}

TEST_CASE("gpu: arguments of another size than the kernel's are our bug") {
    auto* gpu = open_gpu();
    if (gpu == nullptr) return;
    const g4::kernel& add = gpu->compile(add_request());
    if (add.resources().argument_bytes == 0) return;  // a driver that cannot tell
    CHECK(add.resources().argument_bytes == sizeof(add_args));
    CHECK_THROWS_AS(gpu->stream().launch(add, shape(), 1.0), g4::internal_error);
}

TEST_CASE("gpu: wrong launches and lacking memory are told in words") {
    auto* gpu = open_gpu();
    if (gpu == nullptr) return;
    const g4::kernel& add = gpu->compile(add_request());
    const launch_shape too_many{.threads = 2048};
    CHECK_THROWS_WITH_AS(gpu->stream().launch(add, too_many, add_args{}),
                         doctest::Contains("g4_test_add"), g4::device_error);
    CHECK_THROWS_WITH_AS((g4::device_buffer{gpu->device(), std::size_t{1} << 50}),
                         doctest::Contains("free: "), g4::device_error);
    const g4::device_buffer none{gpu->device(), 0};
    CHECK(none.empty());
    CHECK(gpu->download(gpu->upload(numbers())) == numbers());
}

TEST_CASE("gpu: a kernel may take all the shared memory that the device grants") {
    auto* gpu = open_gpu();
    if (gpu == nullptr) return;
    const g4::kernel& add = gpu->compile(add_request());
    const auto values = gpu->upload(numbers());
    launch_shape whole = shape();
    whole.shared_bytes = static_cast<unsigned>(gpu->info().shared_bytes_per_block);
    gpu->run(add, whole, add_args{values.data(), count, 0});
    CHECK(all_expected(gpu->download(values), 1));
    CHECK(add.blocks_per_multiprocessor(256, whole.shared_bytes) == 1);
}

TEST_CASE("gpu: a shape that the copy engine cannot take is told in words") {
    auto* gpu = open_gpu();
    if (gpu == nullptr || gpu->info().major < 9) return;
    const auto memory = gpu->filled<char>(1 << 16);
    g4::tiled_array array{.rank = 2, .sizes = {64, 256}, .stride_bytes = {128}, .box = {64, 64}};
    array.swizzle = g4::tile_swizzle::bytes_128;
    CHECK_NOTHROW(g4::encode_map<g4::cu::tensor_map>(gpu->device(), array, memory.data()));
    array.stride_bytes[0] = 120;
    CHECK_THROWS_WITH_AS(g4::encode_map<g4::cu::tensor_map>(gpu->device(), array, memory.data()),
                         doctest::Contains("stride 120"), g4::device_error);
}

// Breaks the device's context for the rest of its process: the next test runs it in another one.
TEST_CASE("gpu alone: a kernel that reads nowhere fails the next calls" * doctest::skip()) {
    auto* gpu = open_gpu();
    if (gpu == nullptr) return;
    const g4::kernel& add = gpu->compile(add_request());
    const add_args nowhere{reinterpret_cast<int*>(0x10), count, 1};
    gpu->stream().launch(add, shape(), nowhere);
    CHECK_THROWS_WITH_AS(gpu->stream().synchronize(), doctest::Contains("CUDA_ERROR_"),
                         g4::device_error);
    CHECK_THROWS_AS(gpu->stream().synchronize(), g4::device_error);
    CHECK_THROWS_AS(gpu->filled<int>(count), g4::device_error);
    CHECK_THROWS_AS(gpu->stream().launch(add, shape(), nowhere), g4::device_error);
}

TEST_CASE("gpu: after a kernel that reads nowhere every call fails, and nothing hangs") {
    auto* gpu = open_gpu();
    if (gpu == nullptr) return;
    const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
    const std::string run = "timeout 60 '" + self + "' --no-skip --test-case='gpu alone: *'";
    CHECK(std::system(run.c_str()) == 0);
}
