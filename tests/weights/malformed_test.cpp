// Checkpoints that are well-formed files but not this model, or not a quantisation that is read.
#include "tests/weights/tiny_model.hpp"
#include <algorithm>
#include <doctest/doctest.h>

namespace {

using namespace g4;
using namespace g4::testing;

const std::string layer = tiny_prefix + "layers.0.";

/// The error without the folder: "... in model.safetensors".
std::string short_error(const safetensors_writer& tensors,
                        const std::optional<boost::json::object>& config = std::nullopt) {
    std::string text = load_error(tensors, config);
    for (auto at = text.find("/tmp/g4_test_"); at != text.npos; at = text.find("/tmp/g4_test_"))
        text.erase(at, std::string_view{"/tmp/g4_test_XXXXXX/"}.size());
    return text;
}

template <class Change> std::string plain_error(Change&& change) {
    safetensors_writer tensors = tiny_plain();
    change(tensors);
    return short_error(tensors);
}
template <class Change> std::string packed_error(Change&& change) {
    safetensors_writer tensors = tiny_packed();
    change(tensors);
    return short_error(tensors, auto_round_config());
}
/// A right AutoRound checkpoint whose config has one key changed.
std::string auto_round_error(std::string_view key, boost::json::value value) {
    boost::json::object config = auto_round_config();
    config[key] = std::move(value);
    return short_error(tiny_packed(), config);
}
std::string gptq_error(std::string_view key, boost::json::value value) {
    boost::json::object config = gptq_config();
    config[key] = std::move(value);
    return short_error(tiny_packed(), config);
}

}  // namespace

TEST_CASE("malformed: a missing tensor is named with its type, shape and file") {
    CHECK(plain_error([](auto& t) { t.erase(layer + "norm.weight"); }) ==
          "weights: model.language_model.layers.0.norm.weight: expected BF16, F16 or F32 [64], "
          "got no tensor of that name in model.safetensors");
}

TEST_CASE("malformed: a tensor of another shape or type is named with both") {
    CHECK(plain_error([](auto& t) { t.set_plain(layer + "up.weight", dtype::bf16, {64, 16}); }) ==
          "weights: model.language_model.layers.0.up.weight: expected BF16, F16 or F32 [16, 64], "
          "got BF16 [64, 16] in model.safetensors");
    CHECK(plain_error([](auto& t) {
              t[layer + "up.weight"].shape = {1024};
          }).find("expected BF16, F16 or F32 [16, 64], got BF16 [1024]") != std::string::npos);
    CHECK(plain_error([](auto& t) {
              t[layer + "norm.weight"].shape = {1, 64};
          }).find("expected BF16, F16 or F32 [64], got BF16 [1, 64]") != std::string::npos);
    CHECK(plain_error([](auto& t) {
              t.set(layer + "scalar", "I32", {1}, std::string(4, 0));
          }).find("got I32 [1]") != std::string::npos);
    CHECK(plain_error([](auto& t) {
              t.set(layer + "up.weight", "F8_E4M3", {16, 64}, std::string(1024, 0));
          }).find("got F8_E4M3 [16, 64]") != std::string::npos);
}

TEST_CASE("malformed: an unknown tensor is named with the nearest name that is known") {
    CHECK(plain_error([](auto& t) { t.rename(layer + "norm.weight", layer + "nrom.weight"); }) ==
          "weights: model.language_model.layers.0.norm.weight: expected BF16, F16 or F32 [64], "
          "got no tensor of that name in model.safetensors\n"
          "weights: model.language_model.layers.0.nrom.weight: expected no tensor of that name, "
          "got BF16 [64] in model.safetensors; the nearest known name is layers.0.norm.weight");
    CHECK(plain_error([](auto& t) {
              t.set_plain("model.layers.1.up.weight", dtype::f32, {2});
          }).find("nearest known name is layers.0.up.weight") != std::string::npos);
}

TEST_CASE("malformed: at most ten findings are told, and how many more there are") {
    const std::string text = plain_error([](auto& t) {
        for (int i = 0; i < 14; ++i) t.set_plain(concat("unknown.", i), dtype::f32, {1});
    });
    CHECK(std::count(text.begin(), text.end(), '\n') == 10);
    CHECK(text.ends_with("\nand 4 more of this kind"));
}

TEST_CASE("malformed: one tensor under two spellings is refused") {
    CHECK(plain_error([](auto& t) { t.set_plain("model.layers.0.scalar", dtype::f32, {1}); }) ==
          "weights: model.layers.0.scalar: expected each tensor under one name, got it also as "
          "model.language_model.layers.0.scalar in model.safetensors");
}

TEST_CASE("malformed: a head that is not the embedding is refused") {
    const auto with_head = [](std::string type, std::vector<std::int64_t> shape, bool change) {
        return plain_error([&](auto& t) {
            std::string data = t[tiny_prefix + "embed.weight"].data;
            if (change) data.back() ^= 1;
            t.set("lm_head.weight", std::move(type), std::move(shape), std::move(data));
        });
    };
    CHECK(with_head("BF16", {24, 64}, false) == "no error");
    CHECK(with_head("BF16", {24, 64}, true) ==
          "weights: lm_head.weight: expected the bytes of model.language_model.embed.weight, got "
          "others in model.safetensors; a model whose two tensors differ is not supported");
    CHECK(with_head("F16", {24, 64}, false).find("expected it to equal") != std::string::npos);
    CHECK(with_head("BF16", {64, 24}, false).find("got BF16 [64, 24]") != std::string::npos);
    safetensors_writer tensors = tiny_packed();
    tensors.set_int4("lm_head", 24, 64, 32);
    CHECK(short_error(tensors, auto_round_config())
              .find("lm_head.qweight: expected no tensor of that name") != std::string::npos);
}

TEST_CASE("malformed: the parts of a quantised linear must be there and fit each other") {
    CHECK(packed_error([](auto&) {}) == "no error");
    CHECK(packed_error([](auto& t) { t.erase(layer + "up.scales"); }) ==
          "weights: model.language_model.layers.0.up.scales: expected it beside "
          "model.language_model.layers.0.up.qweight, got no tensor of that name in "
          "model.safetensors");
    CHECK(packed_error([](auto& t) { t.erase(layer + "up.qzeros"); }).find("up.qzeros: expected") !=
          std::string::npos);
    CHECK(packed_error([](auto& t) {
              t.erase(layer + "up.qweight");
          }).find("up.scales: expected no tensor of that name") != std::string::npos);
    CHECK(packed_error([](auto& t) { t[layer + "up.qweight"].shape = {16, 8}; }) ==
          "weights: model.language_model.layers.0.up.qweight: expected I32 [8, 16], got I32 "
          "[16, 8] in model.safetensors");
    CHECK(packed_error([](auto& t) { t[layer + "up.qweight"].type = "F32"; }).find("got F32") !=
          std::string::npos);
    CHECK(packed_error([](auto& t) {
              t[layer + "up.scales"].shape = {16, 2};
          }).find("expected for groups of 32 F16, BF16 or F32 [2, 16], got F16 [16, 2]") !=
          std::string::npos);
    CHECK(packed_error([](auto& t) {
              t[layer + "up.qzeros"].shape = {4};
          }).find("up.qzeros: expected I32 [2, 2], got I32 [4]") != std::string::npos);
    CHECK(packed_error([](auto& t) { t.set_plain(layer + "up.weight", dtype::f32, {16, 64}); }) ==
          "weights: model.language_model.layers.0.up.qweight: expected either it or "
          "model.language_model.layers.0.up.weight, got both in model.safetensors");
    CHECK(packed_error([](auto& t) {
              t.erase(tiny_prefix + "embed.weight");
              t.set_int4(tiny_prefix + "embed", 24, 64, 32);
          }).find("to be plain, it is not the weight of a linear") != std::string::npos);
    CHECK(packed_error([](auto& t) {
              t.set_plain(layer + "up.bias", dtype::f16, {16});
          }).find("up.bias: expected no bias of") != std::string::npos);
}

TEST_CASE("malformed: scales that are infinite or no number are refused in every type") {
    const auto with_scale = [](std::string type, const auto& element) {
        return packed_error(
            [&](auto& t) { t.set(layer + "up.scales", type, {2, 16}, std::vector(32, element)); });
    };
    CHECK(with_scale("F16", std::uint16_t{0x3c00}) == "no error");
    CHECK(with_scale("F16", std::uint16_t{0x8001}) == "no error");
    CHECK(with_scale("F16", std::uint16_t{0x7c00}) ==
          "weights: model.language_model.layers.0.up.scales: expected finite scales, got inf at "
          "element 0 in model.safetensors");
    CHECK(with_scale("F16", std::uint16_t{0xfe00}).find("expected finite") != std::string::npos);
    CHECK(with_scale("BF16", std::uint16_t{0x7f80}).find("got inf") != std::string::npos);
    CHECK(with_scale("F32", 0xff800000u).find("got -inf") != std::string::npos);
}

TEST_CASE("malformed: zero points that are not all the symmetric one are refused") {
    CHECK(packed_error([](auto& t) { t[layer + "up.qzeros"].data[5] = 0x78; }) ==
          "weights: model.language_model.layers.0.up.qzeros: expected 7 in every nibble, as "
          "symmetric files store it, got 8 at word 1, nibble 2 in model.safetensors; zero points "
          "that vary are not supported");
    CHECK(short_error(tiny_packed(32, 8), auto_round_config())
              .ends_with("; is it checkpoint_format \"gptq_v2\", and the config says v1?"));
    CHECK(short_error(tiny_packed(32, 7), gptq_config("gptq_v2"))
              .ends_with("; is it checkpoint_format \"gptq\" (v1), and the config says v2?"));
}

TEST_CASE("malformed: an order of inputs that is not the trivial one is refused") {
    const auto with_index = [](std::vector<std::int32_t> index, bool act_order = false) {
        safetensors_writer tensors = tiny_packed();
        if (!index.empty()) {
            const auto count = static_cast<std::int64_t>(index.size());
            tensors.set(layer + "up.g_idx", "I32", {count}, index);
        }
        boost::json::object config = gptq_config();
        config["desc_act"] = act_order;
        return short_error(tensors, config);
    };
    std::vector<std::int32_t> index(64);
    for (int k = 0; k < 64; ++k) index[static_cast<std::size_t>(k)] = k / 32;
    CHECK(with_index(index) == "no error");
    CHECK(with_index(index, true) == "no error");
    CHECK(with_index({}, true).find("up.g_idx: expected it, as the config says desc_act") !=
          std::string::npos);
    CHECK(with_index(std::vector(63, 0)).find("up.g_idx: expected I32 [64], got I32 [63]") !=
          std::string::npos);
    std::swap(index[3], index[40]);
    CHECK(with_index(index) ==
          "weights: model.language_model.layers.0.up.g_idx: expected group 0 for input 3, got 1 in "
          "model.safetensors; act-order (desc_act) is not supported");
    index[3] = -1;
    CHECK(with_index(index).find("for input 3, got 4294967295") != std::string::npos);
}

TEST_CASE("malformed: sizes that do not pack are refused") {
    std::vector<declared_weight> declared = tiny_declared();
    declared[2].rows = 12;
    const scratch_folder folder;
    write_model(folder.path(), tiny_packed(), auto_round_config());
    CHECK(input_error_of([&] {
              load_tiny(folder.path(), declared);
          }).find("expected a plain weight, as [12, 64] does not pack into words of 8") !=
          std::string::npos);
}

TEST_CASE("malformed: quantised tensors without a config are refused") {
    CHECK(short_error(tiny_packed()) ==
          "weights: model.language_model.layers.0.up.qweight: expected a quantization_config in "
          "config.json, got none");
}

TEST_CASE("malformed: a method, layout or width that is not read is refused by its key") {
    const std::string place = "config.json: quantization_config.";
    CHECK(auto_round_error("quant_method", "awq") ==
          place + "quant_method: expected \"auto-round\" or \"gptq\", got \"awq\"");
    CHECK(auto_round_error("quant_method", nullptr) ==
          place + "quant_method: expected a text, got null");
    CHECK(auto_round_error("packing_format", "auto_round:auto_awq") ==
          place + "packing_format: expected \"auto_round:auto_gptq\", got \"auto_round:auto_awq\"");
    CHECK(auto_round_error("bits", 8) == place + "bits: expected 4, got 8");
    CHECK(auto_round_error("bits", "4").find("bits: expected an integer") != std::string::npos);
    CHECK(auto_round_error("sym", false) ==
          place + "sym: expected true: zero points that vary are not supported, got false");
    CHECK(auto_round_error("data_type", "mx_fp") ==
          place + "data_type: expected \"int\", got \"mx_fp\"");
    CHECK(auto_round_error("act_bits", 8).find("act_bits: expected at least 16") !=
          std::string::npos);
    for (const int group : {0, 12, -2, 1 << 21})
        CHECK(auto_round_error("group_size", group).starts_with(place + "group_size: expected"));
    CHECK(auto_round_error("group_size", 64).find("expected for groups of 64") !=
          std::string::npos);
    CHECK(gptq_error("checkpoint_format", "marlin") ==
          place + "checkpoint_format: expected \"gptq\" or \"gptq_v2\", got \"marlin\"");
    CHECK(gptq_error("pack_dtype", "int8").find("pack_dtype: expected \"int32\"") !=
          std::string::npos);
    CHECK(gptq_error("desc_act", 1).find("desc_act: expected true or false, got 1") !=
          std::string::npos);
}

TEST_CASE("malformed: contradictions between spellings and between files are refused") {
    const std::string place = "config.json: quantization_config.";
    CHECK(gptq_error("method", "awq") ==
          place + "method: expected the same as quant_method, \"gptq\", got \"awq\"");
    CHECK(gptq_error("format", "gptq_v2") ==
          place + "format: expected the same as checkpoint_format, \"gptq\", got \"gptq_v2\"");
    CHECK(gptq_error("method", "gptq") == "no error");
    const auto beside = [](const char* name, boost::json::object other) {
        const scratch_folder folder;
        write_model(folder.path(), tiny_packed(), auto_round_config());
        write_text(folder / name, boost::json::serialize(other));
        return input_error_of([&] { load_tiny(folder.path()); });
    };
    CHECK(beside("quantization_config.json", auto_round_config()) == "no error");
    CHECK(beside("quantize_config.json", {{"bits", 4}, {"group_size", 32}}) == "no error");
    CHECK(beside("quantization_config.json", auto_round_config(64))
              .find("expected group_size 32 as in ") != std::string::npos);
    CHECK(beside("quantize_config.json", gptq_config("gptq_v2"))
              .find("expected zero points stored as 7 as in ") != std::string::npos);
}

TEST_CASE("malformed: overrides that cannot be read are refused, by key, where they apply") {
    const auto extra = [](std::string_view key, boost::json::value says) {
        return auto_round_error("extra_config", boost::json::object{{key, std::move(says)}});
    };
    const std::string up = layer + "up";
    CHECK(extra(up, {{"bits", 8}}) ==
          "weights: model.language_model.layers.0.up.qweight: expected 4 bits, symmetric, got 8 "
          "bits from config.json: quantization_config.extra_config." +
              up);
    CHECK(extra(up, {{"sym", false}}).find("got 4 bits with zero points that vary from") !=
          std::string::npos);
    CHECK(extra(layer + "down", {{"bits", 8}}) == "no error");
    CHECK(extra(up, {{"bits", 16}}) == "no error");  // its tensors say that it is quantised
    CHECK(extra(up, {{"group_size", 12}}).find("expected -1 or a multiple of 8") !=
          std::string::npos);
    CHECK(extra(up, 4).find("expected an object, got 4") != std::string::npos);
    CHECK(extra("layers\\.(0", {{"bits", 4}}).find("expected a ) for each ( at byte") !=
          std::string::npos);
    CHECK(extra("(?i)up", {{"bits", 4}}).find("pattern (?i)up: expected") != std::string::npos);
    CHECK(extra("(?i)down", {{"bits", 16}}) == "no error");
    CHECK(gptq_error("dynamic", {{"+:.*up", {{"bits", 3}}}}).find("got 3 bits from") !=
          std::string::npos);
    CHECK(gptq_error("dynamic", {{"-:.*down", boost::json::object{}}}) == "no error");
    CHECK(gptq_error("dynamic", {{"+:*", {{"bits", 4}}}}).find("expected something to repeat") !=
          std::string::npos);
}
