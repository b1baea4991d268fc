// Weights made up for a declaration: what --load-format dummy times when no checkpoint is at hand.
#pragma once
#include "g4/core/dtype.hpp"
#include "g4/gate/weights.hpp"
#include "g4/weights/bind.hpp"
#include "g4/weights/slices.hpp"
#include <array>
#include <cmath>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace g4 {

/// Deterministic values of the declared sizes, spread so that activations neither vanish nor
/// overflow. Owns its memory; the table is valid as long as it lives.
///   linears  of repeated layers: int4 in groups of 128 (of 32 where the columns ask for it) when
///            `int4` says so and the columns allow it; all else bf16, as quantisers leave it
/// Cost: writes every byte once, on all threads.
class dummy_weights {
  public:
    dummy_weights(std::span<const declared_weight> declared, bool int4, unsigned threads = 0) {
        for (const declared_weight& want : declared) {
            weight w{.rows = want.rows, .columns = want.columns};
            w.group = want.columns % 128 == 0 ? 128 : want.columns % 32 == 0 ? 32 : 0;
            const bool repeated = want.name.find("layers.") != std::string::npos;
            if (int4 && want.linear && repeated && w.group > 0) make_int4(w, want.name, threads);
            else make_plain(w, want.name, threads);
            table_.emplace(want.name, w);
        }
    }
    const weight_table& table() const { return table_; }

  private:
    /// A well-mixed number of a place: the finaliser of MurmurHash3 (public domain).
    static std::uint64_t mixed(std::uint64_t x) {
        x = (x ^ x >> 33) * 0xff51afd7ed558ccdu;
        x = (x ^ x >> 33) * 0xc4ceb9fe1a85ec53u;
        return x ^ x >> 33;
    }
    static std::uint64_t seed_of(std::string_view name) {
        std::uint64_t seed = 1469598103934665603u;
        for (const char c : name) seed = (seed ^ static_cast<unsigned char>(c)) * 1099511628211u;
        return seed;
    }
    std::byte* allocate(std::size_t bytes) {
        memory_.push_back(std::make_unique_for_overwrite<std::byte[]>((bytes + 7) / 8 * 8));
        return memory_.back().get();
    }

    /// 256 values from -1.7 to 1.7 times `spread`, around `middle`: a deviation of `spread`.
    static std::array<std::uint16_t, 256> value_table(float middle, float spread) {
        std::array<std::uint16_t, 256> out;
        for (int i = 0; i < 256; ++i)
            out[static_cast<std::size_t>(i)] = float_to_bf16(
                middle + spread * 1.7f * (static_cast<float>(i) - 127.5f) / 127.5f);
        return out;
    }

    void make_plain(weight& w, std::string_view name, unsigned threads) {
        const bool vector = w.columns == 1;
        const auto values = vector ? value_table(0.5f, 0.05f)
                                   : value_table(0, 1 / std::sqrt(static_cast<float>(w.columns)));
        const std::size_t bytes = static_cast<std::size_t>(w.rows * w.columns) * 2;
        std::byte* data = allocate(bytes);
        const std::uint64_t seed = seed_of(name);
        for_slices((bytes + 15) / 16, std::size_t{1} << 16, threads,
                   [&](std::size_t begin, std::size_t end) {
                       for (std::size_t at = begin; at < end; ++at) {
                           std::uint64_t random = mixed(seed + at);
                           std::uint16_t eight[8];
                           for (std::uint16_t& v : eight) {
                               v = values[random & 255];
                               random >>= 8;
                           }
                           std::memcpy(data + at * 16, eight, std::min<std::size_t>(
                                                                  16, bytes - at * 16));
                       }
                   });
        w.group = 0;
        w.data = data;
    }

    void make_int4(weight& w, std::string_view name, unsigned threads) {
        w.stored = weight::form::int4;
        w.scale_type = dtype::f16;
        const std::size_t bytes = static_cast<std::size_t>(w.rows * w.columns) / 2;
        std::byte* data = allocate(bytes);
        const std::uint64_t seed = seed_of(name);
        for_slices((bytes + 7) / 8, std::size_t{1} << 16, threads,
                   [&](std::size_t begin, std::size_t end) {
                       for (std::size_t at = begin; at < end; ++at) {
                           const std::uint64_t random = mixed(seed + at);
                           std::memcpy(data + at * 8, &random, 8);
                       }
                   });
        const std::size_t count = static_cast<std::size_t>(w.rows * (w.columns / w.group));
        std::byte* scales = allocate(count * 2);
        const float spread = 0.21f / std::sqrt(static_cast<float>(w.columns));  // nibbles: 4.6
        for (std::size_t i = 0; i < count; ++i) {
            const float varied = 0.75f + static_cast<float>(mixed(seed + i) & 255) / 512;
            const std::uint16_t bits = float_to_f16(i % 2 == 0 ? spread * varied
                                                               : -spread * varied);
            std::memcpy(scales + i * 2, &bits, 2);
        }
        w.data = data;
        w.scales = scales;
    }

    std::vector<std::unique_ptr<std::byte[]>> memory_;
    weight_table table_;
};

}  // namespace g4
