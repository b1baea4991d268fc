// The emulator of tests/codegen: what it computes as a warp would, and what it finds.
#include "tests/support/simt.hpp"

#include "codegen/core/async_copy.cuh"
#include "codegen/core/mma.cuh"
#include "codegen/core/number.cuh"
#include "codegen/core/reduce.cuh"
#include "codegen/core/shared.cuh"
#include <doctest/doctest.h>
#include <numeric>
#include <string>
#include <vector>

namespace {

using namespace g4k;
using simt::buffer;

std::string words_of(const g4::launch_shape& shape, const std::function<void()>& kernel) {
    try {
        simt::launch(shape, kernel);
    } catch (const simt::fault& f) {
        return f.what();
    }
    return "";
}
bool holds(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

// Small whole numbers: exact in bf16, their sums of products exact in f32.
float small(int i) { return static_cast<float>(i * 7 % 11 - 5); }

}  // namespace

TEST_CASE("simt: every thread of every block runs, and shared memory is the block's") {
    const buffer<int> out(6 * 96);
    simt::launch({.grid_x = 3, .grid_y = 2, .threads = 96, .shared_bytes = 96 * 4}, [&] {
        int* shared = reinterpret_cast<int*>(shared_memory());
        shared[threadIdx.x] = static_cast<int>(threadIdx.x);
        __syncthreads();
        const unsigned block = blockIdx.y * gridDim.x + blockIdx.x;
        out[block * 96 + threadIdx.x] = shared[95 - threadIdx.x] + static_cast<int>(block) * 1000;
    });
    for (int i = 0; i < 6 * 96; ++i)
        CHECK(out[static_cast<std::size_t>(i)] == 95 - i % 96 + i / 96 * 1000);
}

TEST_CASE("simt: shuffles, votes and reductions move what they should") {
    simt::launch({.threads = 64}, [&] {
        const int lane = static_cast<int>(threadIdx.x % 32);
        CHECK(__shfl_sync(~0u, lane, 5) == 5);
        CHECK(__shfl_sync(~0u, lane, 1, 8) == lane / 8 * 8 + 1);
        CHECK(__shfl_xor_sync(~0u, lane, 3) == (lane ^ 3));
        CHECK(__shfl_up_sync(~0u, lane, 2) == (lane < 2 ? lane : lane - 2));
        CHECK(__shfl_down_sync(~0u, lane, 4, 16) == (lane % 16 < 12 ? lane + 4 : lane));
        CHECK(__ballot_sync(~0u, lane % 2) == 0xaaaaaaaau);
        CHECK(__any_sync(~0u, lane == 31) == 1);
        CHECK(__all_sync(~0u, lane < 31) == 0);
        CHECK(__reduce_max_sync(~0u, lane) == 31);
        CHECK(__match_any_sync(~0u, lane / 16) == (lane < 16 ? 0xffffu : 0xffff0000u));
        CHECK(warp_sum(1.0f) == 32);
        if (lane < 16) CHECK(__reduce_add_sync(0xffffu, 1) == 16);
        CHECK(__syncthreads_count(lane == 0) == 2);
        CHECK(__syncthreads_or(0) == 0);
    });
}

TEST_CASE("simt: atomics count across blocks") {
    const buffer<unsigned> count{0u};
    const buffer<int> most{-5};
    simt::launch({.grid_x = 4, .threads = 50}, [&] {
        atomicInc(count.data(), 1000u);
        atomicMax(most.data(), static_cast<int>(threadIdx.x));
    });
    CHECK(count[0] == 200);
    CHECK(most[0] == 49);
}

TEST_CASE("simt: mma of fragments from ldmatrix is the product of the matrices") {
    std::vector<unsigned short> a(16 * 16), b(16 * 8);  // b as [k][n]: loaded transposed
    for (int i = 0; i < 256; ++i) a[static_cast<std::size_t>(i)] = to_bf16(small(i));
    for (int i = 0; i < 128; ++i) b[static_cast<std::size_t>(i)] = to_bf16(small(3 * i + 1));
    const buffer<unsigned short> da{a}, db{b};
    const buffer<float> out(16 * 8);
    simt::launch({.threads = 32, .shared_bytes = 768}, [&] {
        char* shared = shared_memory();
        const int lane = static_cast<int>(threadIdx.x);
        copy_async_16(shared + lane * 16, da.data() + lane * 8, true);
        copy_async_16(shared + 512 + lane % 16 * 16, db.data() + lane % 16 * 8, true);
        copy_async_commit();
        copy_async_wait<0>();
        __syncwarp();
        unsigned fa[4], fb[4];
        load_matrix_x4(fa, shared + lane % 16 * 32 + lane / 16 * 16);
        load_matrix_x4_transposed(fb, shared + 512 + lane % 16 * 16);
        float d[4] = {1, 1, 1, 1};
        const unsigned operand[2] = {fb[0], fb[1]};
        mma_bf16(d, fa, operand);
        for (int i = 0; i < 4; ++i)
            out.data()[(lane / 4 + i / 2 * 8) * 8 + lane % 4 * 2 + i % 2] = d[i];
    });
    for (int m = 0; m < 16; ++m)
        for (int n = 0; n < 8; ++n) {
            float sum = 1;
            for (int k = 0; k < 16; ++k) sum += small(m * 16 + k) * small(3 * (k * 8 + n) + 1);
            CHECK(out[static_cast<std::size_t>(m * 8 + n)] == sum);
        }
}

TEST_CASE("simt: a barrier that some threads miss is a fault, not a hang") {
    const auto words = words_of({.threads = 64}, [] {
        if (threadIdx.x < 40) __syncthreads();
    });
    CHECK(holds(words, "waits for others at __syncthreads (simt_test.cpp:"));
    CHECK(holds(words, "has ended"));
    CHECK(holds(words_of({.threads = 64},
                         [] {
                             if (threadIdx.x < 32) __syncthreads();
                             else __syncwarp(), simt::named_barrier(1, 64);
                         }),
                "but thread"));
}

TEST_CASE("simt: lanes that do not meet are a fault") {
    CHECK(holds(words_of({.threads = 32},
                         [] {
                             if (threadIdx.x < 8) __shfl_xor_sync(~0u, 1, 1);
                         }),
                "__shfl_xor_sync"));
    CHECK(holds(words_of({.threads = 32},
                         [] {
                             if (threadIdx.x < 8) __shfl_xor_sync(~0u, 1, 1);
                             else __ballot_sync(~0u, 1);
                         }),
                "expected all lanes of a mask at one collective"));
    CHECK(holds(words_of({.threads = 32},
                         [] {
                             if (threadIdx.x < 8) __shfl_sync(0xffu, 1, 9);
                         }),
                "expected a source in the mask, got lane 9"));
    CHECK(holds(words_of({.threads = 32}, [] { __ballot_sync(1u, 1); }), "in its own mask"));
}

TEST_CASE("simt: a read or write outside of a buffer is a fault") {
    const buffer<float> in(100);
    float sum = 0;
    const auto reads_past = [&] { sum += in.data()[threadIdx.x == 3 ? 100 : 0]; };
    if (simt::faults_in_words) {
        CHECK(holds(words_of({.threads = 32}, reads_past), "got byte 400 of a buffer of 400"));
        CHECK(holds(words_of({.threads = 32}, reads_past), "thread 3"));
        CHECK(holds(words_of({.shared_bytes = 128}, [] { shared_memory()[128] = 1; }), "byte 128"));
    }
    const buffer<unsigned short> odd(3);
    CHECK(holds(words_of({}, [&] { odd.data()[3] = 1; }), "wrote behind a buffer of 6 bytes"));
    odd.data()[3] = 0xa5a5;
    CHECK(holds(words_of({}, [&] { odd.data()[-1] = 1; }), "wrote before a buffer of 6 bytes"));
    odd.data()[-1] = 0xa5a5;
    CHECK(words_of({.threads = 32}, [&] { in[threadIdx.x] = 1; }).empty());
}

TEST_CASE("simt: what no barrier orders comes out wrong") {
    const buffer<int> out(256);
    simt::launch({.threads = 256, .shared_bytes = 1024}, [&] {
        int* shared = reinterpret_cast<int*>(shared_memory());
        shared[threadIdx.x] = 1;
        out[threadIdx.x] = shared[(threadIdx.x + 1) % 256];
    });
    CHECK(std::accumulate(out.begin(), out.end(), 0) < 256);
}

TEST_CASE("simt: 256 threads and 200 barriers in each of 20 blocks") {
    const buffer<float> out(20);
    simt::launch({.grid_x = 20, .threads = 256, .shared_bytes = 32}, [&] {
        float sum = 0;
        for (int i = 0; i < 100; ++i)
            sum = block_sum<8>(1, reinterpret_cast<float*>(shared_memory()));
        out[blockIdx.x] = sum;
    });
    CHECK(out[19] == 256);
}
