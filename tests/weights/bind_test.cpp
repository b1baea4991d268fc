// Which checkpoints a declaration takes, and what the table then holds.
#include "tests/weights/tiny_model.hpp"
#include <cstring>
#include <doctest/doctest.h>
#include <mutex>

namespace {

using namespace g4;
using namespace g4::testing;

const std::string layer = tiny_prefix + "layers.0.";

bool same_bytes(const weight& found, const written_tensor& written) {
    return std::memcmp(found.data, written.data.data(), written.data.size()) == 0;
}

}  // namespace

TEST_CASE("bind: plain tensors of every float type give their bytes, shapes and types") {
    for (const dtype type : {dtype::bf16, dtype::f16, dtype::f32}) {
        const scratch_folder folder;
        safetensors_writer tensors = tiny_plain(type);
        write_model(folder.path(), tensors);
        const loaded_model model = load_tiny(folder.path());
        REQUIRE(model.table.size() == tiny_declared().size());
        for (const declared_weight& want : tiny_declared()) {
            const weight& found = model.table.at(want.name);
            CHECK(found.stored == weight::form::plain);
            CHECK(found.type == type);
            CHECK(found.rows == want.rows);
            CHECK(found.columns == want.columns);
            CHECK(same_bytes(found, tensors[want.name]));
        }
    }
}

TEST_CASE(
    "bind: AutoRound and both forms of GPTQ give qweight and scales as they lie in the file") {
    const auto check = [](const boost::json::object& config, std::uint32_t zero, bool index) {
        const scratch_folder folder;
        safetensors_writer tensors = tiny_packed(32, zero);
        if (index) tensors.set_group_index(layer + "up", 64, 32);
        write_model(folder.path(), tensors, config);
        const loaded_model model = load_tiny(folder.path());
        const weight& up = model.table.at(layer + "up.weight");
        CHECK(up.stored == weight::form::int4);
        CHECK(up.rows == 16);
        CHECK(up.columns == 64);
        CHECK(up.group == 32);
        CHECK(up.scale_type == dtype::f16);
        CHECK(same_bytes(up, tensors[layer + "up.qweight"]));
        const std::string& scales = tensors[layer + "up.scales"].data;
        CHECK(std::memcmp(up.scales, scales.data(), scales.size()) == 0);
        CHECK(model.table.at(layer + "down.weight").stored == weight::form::plain);
    };
    check(auto_round_config(), 7, false);
    check(gptq_config(), 7, true);
    check(gptq_config("gptq_v2"), 8, true);
    boost::json::object newer = gptq_config("gptq_v2");
    newer.erase("quant_method");
    newer.erase("checkpoint_format");
    newer["method"] = "gptq";
    newer["format"] = "gptq_v2";
    check(newer, 8, false);
    boost::json::object unnamed = gptq_config();
    unnamed.erase("checkpoint_format");
    check(unnamed, 7, false);
}

TEST_CASE("bind: scales may be bf16 or f32, groups any multiple of 8, or the whole row") {
    for (const int group : {8, 24, 32, 64, 128, -1}) {
        const scratch_folder folder;
        const int columns = group == -1 ? 64 : group;
        write_model(folder.path(), tiny_packed(columns), auto_round_config(group));
        CHECK(load_tiny(folder.path()).table.at(layer + "up.weight").group == columns);
    }
    for (const dtype type : {dtype::bf16, dtype::f32}) {
        const scratch_folder folder;
        safetensors_writer tensors = tiny_packed();
        tensors.set_plain(layer + "up.scales", type, {2, 16});
        write_model(folder.path(), tensors, auto_round_config());
        CHECK(load_tiny(folder.path()).table.at(layer + "up.weight").scale_type == type);
    }
}

TEST_CASE("bind: names are found behind every published prefix") {
    for (const std::string prefix :
         {"", "model.", "language_model.model.", "model.language_model."}) {
        const scratch_folder folder;
        safetensors_writer tensors = tiny_packed();
        const std::vector<written_tensor> before = tensors.tensors();
        for (const written_tensor& tensor : before)
            tensors.rename(tensor.name, prefix + tensor.name.substr(tiny_prefix.size()));
        write_model(folder.path(), tensors, auto_round_config());
        CHECK(load_tiny(folder.path()).table.contains(layer + "up.weight"));
    }
}

TEST_CASE("bind: a model's own respelling finds older names") {
    const scratch_folder folder;
    safetensors_writer tensors = tiny_plain();
    tensors.rename(layer + "up.weight", layer + "upward.weight");
    write_model(folder.path(), tensors);
    weight_name_rules rules = tiny_rules();
    rules.respell = [](std::string name) {
        if (const auto at = name.find("upward"); at != name.npos) name.replace(at, 6, "up");
        return name;
    };
    checkpoint files = checkpoint::open(folder.path());
    CHECK(bind_weights(files, tiny_declared(), rules).contains(layer + "up.weight"));
}

TEST_CASE("bind: several axes may lie in the file, the first ones making the rows") {
    const scratch_folder folder;
    safetensors_writer tensors = tiny_plain();
    tensors[tiny_prefix + "embed.weight"].shape = {4, 6, 64};
    tensors[layer + "up.weight"].shape = {16, 8, 8};
    tensors[layer + "scalar"].shape = {};
    write_model(folder.path(), tensors);
    CHECK(load_tiny(folder.path()).table.size() == 5);
}

TEST_CASE("bind: towers, dead layers, copies and zero biases may lie in the file") {
    const scratch_folder folder;
    safetensors_writer tensors = tiny_packed();
    tensors.set("model.eyes.table", "I64", {3}, std::string(24, 'x'));
    tensors.set("model.eyes.odd", "F9_NEW", {5}, std::string(3, 'x'));
    tensors.set("model.eyes.none", "F32", {0, 7}, std::string{});
    tensors.set_int4(tiny_prefix + "layers.3.dead.k_proj", 8, 32, 32);
    tensors.set_plain(layer + "up.bias", dtype::f16, {16});
    tensors[layer + "up.bias"].data.assign(32, '\0');
    tensors.set("lm_head.weight", "BF16", {24, 64}, tensors[tiny_prefix + "embed.weight"].data);
    write_model(folder.path(), tensors, auto_round_config());
    CHECK(load_tiny(folder.path()).table.size() == 5);
}

TEST_CASE("bind: a tensor at an odd address is copied to a fitting one, and that is logged") {
    const scratch_folder folder;
    safetensors_writer tensors = tiny_packed();
    std::string header = boost::json::serialize(tensors.header());
    header.resize(header.size() / 8 * 8 + 9, ' ');
    write_model(folder.path(), tensors, auto_round_config());
    write_text(folder / "model.safetensors", safetensors_bytes(header, tensors.data()));
    std::string lines;
    const logger log{[&](log_level level, const std::string& line) {
        if (level == log_level::warning) lines += line;
    }};
    const loaded_model model = load_tiny(folder.path(), tiny_declared(), log);
    CHECK(lines.find("at odd places") != std::string::npos);
    CHECK(model.files.copied_bytes() > 0);
    const weight& up = model.table.at(layer + "up.weight");
    CHECK(reinterpret_cast<std::uintptr_t>(up.data) % 4 == 0);
    CHECK(reinterpret_cast<std::uintptr_t>(up.scales) % 2 == 0);
    CHECK(same_bytes(up, tensors[layer + "up.qweight"]));
}

TEST_CASE("bind: overrides by name, by pattern and by dynamic rule set the group of a linear") {
    const auto group_with = [](boost::json::object config) {
        const scratch_folder folder;
        write_model(folder.path(), tiny_packed(16), config);
        try {
            return static_cast<int>(load_tiny(folder.path()).table.at(layer + "up.weight").group);
        } catch (const input_error&) {
            return -1;  // the scales do not fit the group that the config was taken to say
        }
    };
    const boost::json::value sixteen{{"group_size", 16}};
    const auto extra = [&](std::string_view key, boost::json::value says) {
        boost::json::object config = auto_round_config(32);
        config["extra_config"] = {{key, std::move(says)}};
        return group_with(config);
    };
    const auto dynamic = [&](std::string_view key, boost::json::value says) {
        boost::json::object config = gptq_config();
        config["dynamic"] = {{key, std::move(says)}};
        return group_with(config);
    };
    CHECK(group_with(auto_round_config(32)) == -1);
    CHECK(extra(layer + "up", sixteen) == 16);
    CHECK(extra("language_model.model.layers.0.up", sixteen) == 16);
    CHECK(extra("layers.0.up", sixteen) == 16);
    CHECK(extra(layer + "down", sixteen) == -1);
    CHECK(extra("layers\\.\\d+\\.up$", sixteen) == 16);
    CHECK(extra(".*layers.0.(up|gate)", sixteen) == 16);
    CHECK(extra("layers\\.\\d+\\.down$", sixteen) == -1);
    CHECK(dynamic("+:.*\\.up", sixteen) == 16);
    CHECK(dynamic(".*layers\\.(?:0|1)\\..*", sixteen) == 16);
    CHECK(dynamic("+:up", sixteen) == -1);  // anchored at the start, as re.match
    CHECK(dynamic("-:.*\\.up", boost::json::object{}) == -1);
}
