// Right checkpoints with random damage: each loads or is refused in words, and nothing is read
// outside its file. The sanitizer build gives the last part its teeth.
#include "tests/weights/tiny_model.hpp"
#include <algorithm>
#include <doctest/doctest.h>
#include <random>
#include <string>

namespace {

using namespace g4;
using namespace g4::testing;
using generator = std::mt19937;

std::size_t below(generator& source, std::size_t count) {
    return std::uniform_int_distribution<std::size_t>{0, count - 1}(source);
}

/// One to four changes: a flipped bit, a byte of JSON's own, a number, a cut, a copied stretch.
void damage(std::string& bytes, std::size_t first, std::size_t last, generator& source) {
    constexpr std::string_view signs = "{}[]\",:0123456789-.eEtfn \\";
    for (std::size_t n = 1 + below(source, 4); n > 0 && last > first + 1; --n) {
        last = std::min(last, bytes.size());
        if (first >= last) return;
        const std::size_t at = first + below(source, last - first);
        switch (below(source, 6)) {
            case 0: bytes[at] = static_cast<char>(bytes[at] ^ 1 << below(source, 8)); break;
            case 1: bytes[at] = signs[below(source, signs.size())]; break;
            case 2: bytes.insert(at, "99999999999999999999", below(source, 21)); break;
            case 3: bytes.erase(at, 1 + below(source, 8)); break;
            case 4:
                bytes.insert(at, bytes, first + below(source, at - first + 1), below(source, 80));
                break;
            default: bytes.resize(at + 1);
        }
    }
}

struct tally {
    int loaded = 0, refused = 0;
};

/// Loads the folder and reads every byte that the table promises.
void load_all(const std::filesystem::path& folder, tally& seen) {
    try {
        const loaded_model model = load_tiny(folder);
        unsigned sum = 0;
        for (const auto& [name, found] : model.table) {
            const auto add = [&](const std::byte* data, std::size_t count) {
                for (std::size_t i = 0; i < count; ++i) sum += static_cast<unsigned>(data[i]);
            };
            const auto elements = static_cast<std::size_t>(found.rows * found.columns);
            if (found.stored == weight::form::plain) {
                add(found.data, elements * static_cast<std::size_t>(bytes_of(found.type)));
                continue;
            }
            const auto groups =
                static_cast<std::size_t>((found.columns + found.group - 1) / found.group);
            add(found.data, elements / 2);
            add(found.scales, groups * static_cast<std::size_t>(found.rows) *
                                  static_cast<std::size_t>(bytes_of(found.scale_type)));
        }
        CHECK(sum != 0);
        ++seen.loaded;
    } catch (const input_error& refused) {
        CHECK(refused.what() != std::string{});
        ++seen.refused;
    }
}

}  // namespace

TEST_CASE("fuzz: a damaged header or length loads or is refused") {
    const std::string right = tiny_packed().bytes();
    const std::size_t data_bytes = tiny_packed().data().size();
    const std::size_t header_end = right.find("}}") + 2;
    const scratch_folder folder;
    write_model(folder.path(), tiny_packed(), auto_round_config());
    generator source{1};
    tally seen;
    for (int round = 0; round < 3000; ++round) {
        std::string bytes = right;
        // half of them keep a length that fits, so that the damage is looked at
        const bool fix_length = round % 2 == 0;
        damage(bytes, fix_length ? 8 : 0, header_end, source);
        if (fix_length && bytes.size() > 8) {
            const std::size_t rest = bytes.size() - 8, length = rest - std::min(rest, data_bytes);
            for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(length >> 8 * i & 255);
        }
        write_text(folder / "model.safetensors", bytes);
        load_all(folder.path(), seen);
    }
    MESSAGE("damaged headers: ", seen.loaded, " loaded, ", seen.refused, " refused");
    CHECK(seen.refused > 2000);
}

TEST_CASE("fuzz: a file cut anywhere is refused") {
    const std::string right = tiny_packed().bytes();
    const scratch_folder folder;
    write_model(folder.path(), tiny_packed(), auto_round_config());
    tally seen;
    for (std::size_t size = 0; size < right.size(); size += size < 3000 ? 1 : 37) {
        write_text(folder / "model.safetensors", std::string_view{right}.substr(0, size));
        load_all(folder.path(), seen);
    }
    CHECK(seen.loaded == 0);
    CHECK(seen.refused > 1000);
}

TEST_CASE("fuzz: damaged data loads unless zero points, scales or order are hit") {
    const scratch_folder folder;
    write_model(folder.path(), tiny_packed(), auto_round_config());
    const std::string right = tiny_packed().bytes();
    const std::size_t data_begin = right.size() - tiny_packed().data().size();
    generator source{2};
    tally seen;
    for (int round = 0; round < 500; ++round) {
        std::string bytes = right;
        const std::size_t at = data_begin + below(source, bytes.size() - data_begin);
        bytes[at] = static_cast<char>(bytes[at] ^ 1 << below(source, 8));
        write_text(folder / "model.safetensors", bytes);
        load_all(folder.path(), seen);
    }
    CHECK(seen.loaded > seen.refused);
    CHECK(seen.refused > 0);
}

TEST_CASE("fuzz: a damaged config or index loads or is refused") {
    boost::json::object config = auto_round_config();
    config["extra_config"] = {{"layers\\.[0-9]+\\.(down|gate)$", {{"bits", 16}}},
                              {tiny_prefix + "layers.0.up", {{"bits", 4}, {"group_size", 32}}}};
    config["dynamic"] = {{"-:.*eyes.*", boost::json::object{}}};
    const scratch_folder folder;
    write_model(folder.path(), tiny_packed(), config);
    boost::json::object map;
    const safetensors_writer written = tiny_packed();
    for (const written_tensor& tensor : written.tensors())
        map[tensor.name] = "model.safetensors";
    const std::string index = boost::json::serialize(boost::json::object{{"weight_map", map}});
    const std::string text =
        boost::json::serialize(boost::json::object{{"quantization_config", config}});
    generator source{3};
    tally seen;
    for (int round = 0; round < 2000; ++round) {
        std::string changed_config = text, changed_index = index;
        damage(round % 2 == 0 ? changed_config : changed_index, 0,
               round % 2 == 0 ? text.size() : index.size(), source);
        write_text(folder / "config.json", changed_config);
        write_text(folder / "model.safetensors.index.json", changed_index);
        load_all(folder.path(), seen);
    }
    CHECK(seen.refused > 1000);
    CHECK(seen.loaded > 0);
}
