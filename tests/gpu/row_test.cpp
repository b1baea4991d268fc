// Row kernels on a device against plain f64 loops: the chains of E4B, and sizes that fit nothing.
#include "g4/backends/cuda/row.hpp"
#include "tests/support/gpu.hpp"
#include "tests/support/row_configs.hpp"
#include "tests/support/row_run.hpp"
#include <doctest/doctest.h>
#include <list>
#include <vector>

namespace {

using namespace g4::testing;

class device_memory {
  public:
    explicit device_memory(gpu& on) : on_{on} {}
    template <class T> T* put(const std::vector<T>& from) {
        auto& to = buffers_.emplace_back(on_.device(), from.size() * sizeof(T));
        on_.stream().copy_to_device(to.data(), from.data(), to.size());
        on_.stream().synchronize();
        return reinterpret_cast<T*>(to.data());
    }
    template <class T> T* poisoned(std::size_t count) {
        auto& to = buffers_.emplace_back(on_.device(), count * sizeof(T));
        on_.stream().fill(to.data(), 0xff, to.size());
        on_.stream().synchronize();
        return reinterpret_cast<T*>(to.data());
    }
    template <class T> std::vector<T> get(const T* from, std::size_t count) const {
        std::vector<T> out(count);
        if (count == 0) return out;
        on_.stream().copy_to_host(out.data(), from, count * sizeof(T));
        on_.stream().synchronize();
        return out;
    }

  private:
    gpu& on_;
    std::list<g4::device_buffer> buffers_;
};

std::int64_t wrong(gpu& on, const row_config& config, const row_case_sizes& sizes) {
    const row_case one{config, sizes};
    std::int64_t out = 0;
    for (const row_config& variant : {config, many(config)}) {
        device_memory memory{on};
        const row_run run{one, memory};
        const g4::kernel& kernel = on.compile(g4::cuda::row_request(variant));
        on.run(kernel, g4::cuda::row_shape(variant, sizes.rows), run.args());
        out += run.wrong();
    }
    return out;
}

}  // namespace

TEST_CASE("gpu: row kernels of E4B agree with f64") {
    auto* gpu = open_gpu();
    if (gpu == nullptr) return;
    for (const int rows : {1, 7, 130}) {
        CAPTURE(rows);
        CHECK(wrong(*gpu, residual_and_norm(2560), {.rows = rows, .splits = 5}) == 0);
        CHECK(wrong(*gpu, layer_end(2560), {.rows = rows, .splits = 2, .indexed = true}) == 0);
        CHECK(wrong(*gpu, embedding(2560), {.rows = rows}) == 0);
        CHECK(wrong(*gpu, layer_inputs(256, 42), {.rows = rows, .splits = 2}) == 0);
        CHECK(wrong(*gpu, heads(256, 8, 2, 64), {.rows = rows, .splits = 4, .padded = true}) == 0);
        CHECK(wrong(*gpu, heads(512, 8, 2, 64), {.rows = rows, .indexed = true}) == 0);
    }
}

TEST_CASE("gpu: row kernels take every size and place") {
    auto* gpu = open_gpu();
    if (gpu == nullptr) return;
    for (const int extra : {0, 4, 3}) {
        CAPTURE(extra);
        CHECK(wrong(*gpu, residual_and_norm(5376), {.rows = 3, .splits = 3, .extra = extra}) == 0);
        CHECK(wrong(*gpu, residual_and_norm(16384), {.rows = 2, .splits = 2, .extra = extra}) == 0);
        CHECK(wrong(*gpu, layer_end(1034), {.rows = 5, .splits = 3, .extra = extra}) == 0);
        CHECK(wrong(*gpu, residual_and_norm(70), {.rows = 40, .splits = 2, .extra = extra}) == 0);
        CHECK(wrong(*gpu, heads(18, 3, 3, 4), {.rows = 9, .extra = extra, .padded = true}) == 0);
        CHECK(wrong(*gpu, everything(48, 2), {.rows = 4, .splits = 6, .extra = extra}) == 0);
        CHECK(wrong(*gpu, everything(7, 3), {.rows = 3, .splits = 2, .extra = extra}) == 0);
        CHECK(wrong(*gpu, everything(640, 1), {.rows = 3, .splits = 2, .extra = extra}) == 0);
    }
}

TEST_CASE("gpu: a row kernel writes the same bits in every run, whatever the other rows") {
    auto* gpu = open_gpu();
    if (gpu == nullptr) return;
    const row_config config = many(residual_and_norm(2560));
    const g4::kernel& kernel = gpu->compile(g4::cuda::row_request(config));
    std::vector<g4k::bf16_bits> first;
    for (const int rows : {6000, 6000, 2}) {  // several parts a team, and one
        const row_case one{config, {.rows = 6000, .splits = 2}};
        device_memory memory{*gpu};
        const row_run run{one, memory};
        g4k::row_args args = run.args();
        args.rows = rows;
        gpu->run(kernel, g4::cuda::row_shape(config, rows), args);
        const auto written = run.written<g4k::bf16_bits>(0, 1);
        if (first.empty()) first = written;
        const auto end = first.begin() + 2560 * rows;
        CHECK(std::equal(first.begin(), end, written.begin()));
    }
}
