// Folders: which files make a checkpoint, and what an index that does not fit them says.
#include "g4/weights/checkpoint.hpp"
#include "tests/weights/tiny_model.hpp"
#include <doctest/doctest.h>
#include <sys/stat.h>

namespace {

using namespace g4;
using namespace g4::testing;

const std::string a = "one.safetensors", b = "two.safetensors";

safetensors_writer file_of(std::initializer_list<const char*> names) {
    safetensors_writer out;
    for (const char* name : names) out.set_plain(name, dtype::f32, {3});
    return out;
}
void write_index(const scratch_folder& folder, const boost::json::object& map) {
    write_text(folder / "model.safetensors.index.json",
               boost::json::serialize(
                   boost::json::object{{"metadata", {{"total_size", 1}}}, {"weight_map", map}}));
}
std::string error_of(const scratch_folder& folder) {
    std::string text = input_error_of([&] { checkpoint::open(folder.path()); });
    const std::string place = folder.path().string() + "/";
    for (auto at = text.find(place); at != text.npos; at = text.find(place))
        text.erase(at, place.size());
    return text;
}
/// Two shards with x in one and y and z in two, and this index over them.
std::string index_error(const boost::json::object& map) {
    const scratch_folder folder;
    file_of({"x"}).write(folder / a);
    file_of({"y", "z"}).write(folder / b);
    write_index(folder, map);
    return error_of(folder);
}

}  // namespace

TEST_CASE("checkpoint: shards behind an index are one set of tensors") {
    const scratch_folder folder;
    file_of({"x"}).write(folder / a);
    file_of({"y", "z"}).write(folder / b);
    file_of({"stray"}).write(folder / "stray.safetensors");
    write_index(folder, {{"x", a}, {"y", b}, {"z", b}});
    const checkpoint files = checkpoint::open(folder.path());
    CHECK(files.tensors().size() == 3);
    REQUIRE(files.find("z") != nullptr);
    CHECK(files.find("z")->file == (folder / b).string());
    CHECK(files.find("stray") == nullptr);
}

TEST_CASE("checkpoint: an index that does not fit its shards is refused by name") {
    const std::string index = "model.safetensors.index.json: ";
    CHECK(index_error({{"x", a}, {"y", b}}) ==
          "two.safetensors: z: expected it in model.safetensors.index.json, got no entry");
    CHECK(index_error({{"x", a}, {"y", b}, {"z", b}, {"w", a}}) ==
          index + "w: expected it in one.safetensors, got no tensor of that name there");
    CHECK(index_error({{"x", a}, {"y", b}, {"z", a}}) ==
          index + "z: expected it in one.safetensors, got it in two.safetensors");
    CHECK(index_error({{"x", a}, {"y", b}, {"z", "three.safetensors"}}) ==
          "three.safetensors: expected the shard that model.safetensors.index.json names, "
          "got nothing");
    CHECK(index_error({}) == index + "expected tensors in weight_map, got none");
    CHECK(index_error({{"x", 1}}) == index + "weight_map.x: expected a text, got 1");
    for (const char* outside : {"../x.safetensors", "/etc/x.safetensors", "a/b.safetensors",
                                "config.json", "..\\x.safetensors"})
        CHECK(index_error({{"x", outside}})
                  .starts_with(index + "weight_map.x: expected the name of a .safetensors file "
                                       "beside the index, got \""));
}

TEST_CASE("checkpoint: an index that is no index is refused") {
    const auto with_index = [](std::string_view text) {
        const scratch_folder folder;
        write_text(folder / "model.safetensors.index.json", text);
        return error_of(folder);
    };
    CHECK(with_index("{").find("index.json: expected JSON, got") != std::string::npos);
    CHECK(with_index("{}").ends_with("expected the key weight_map, got none"));
    CHECK(with_index("[]").ends_with("expected an object, got a list of 0"));
    CHECK(with_index(R"({"weight_map": {"x": "a.safetensors", "x": "b.safetensors"}})")
              .ends_with("expected each key once, got x twice"));
}

TEST_CASE("checkpoint: a tensor in two shards is refused") {
    const scratch_folder folder;
    file_of({"x"}).write(folder / a);
    file_of({"x"}).write(folder / b);
    write_index(folder, {{"x", a}, {"y", b}});
    CHECK(error_of(folder) ==
          "two.safetensors: x: expected each tensor once, got it also in one.safetensors");
}

TEST_CASE("checkpoint: model.safetensors is taken before an index that does not name it, aloud") {
    const scratch_folder folder;
    file_of({"x"}).write(folder / "model.safetensors");
    write_index(folder, {{"y", b}});
    std::string warned;
    const logger log{[&](log_level level, const std::string& line) {
        if (level == log_level::warning) warned = line;
    }};
    CHECK(checkpoint::open(folder.path(), log).find("x") != nullptr);
    CHECK(warned.find("does not name model.safetensors") != std::string::npos);
}

TEST_CASE("checkpoint: without index the only file, or a whole numbered set, is taken") {
    {
        const scratch_folder folder;
        file_of({"x"}).write(folder / "gptq_model-4bit-128g.safetensors");
        CHECK(checkpoint::open(folder.path()).tensors().size() == 1);
    }
    const scratch_folder folder;
    file_of({"x"}).write(folder / "m-00001-of-00002.safetensors");
    file_of({"y"}).write(folder / "m-00002-of-00002.safetensors");
    CHECK(checkpoint::open(folder.path()).tensors().size() == 2);
    std::filesystem::rename(folder / "m-00001-of-00002.safetensors", folder / a);
    CHECK(error_of(folder).find("expected a shard that ends in -00001-of-00002.safetensors, "
                                "got m-00002-of-00002.safetensors") != std::string::npos);
    std::filesystem::remove(folder / a);
    CHECK(checkpoint::open(folder.path()).tensors().size() == 1);
}

TEST_CASE("checkpoint: a folder without weights, and what is no folder, are refused") {
    const scratch_folder folder;
    CHECK(error_of(folder).ends_with("expected model.safetensors, got no file of that form"));
    write_text(folder / "pytorch_model.bin", "x");
    CHECK(error_of(folder).ends_with("; pytorch_model.bin is of another format"));
    CHECK(input_error_of([&] {
              checkpoint::open(folder / "none");
          }).ends_with("expected a folder with a model, got nothing"));
    CHECK(input_error_of([&] {
              checkpoint::open(folder / "pytorch_model.bin");
          }).ends_with("expected a folder with a model, got a file"));
}

TEST_CASE("checkpoint: an empty file, a folder, a pipe and a dangling link are refused") {
    const auto opened = [](auto&& make) {
        const scratch_folder folder;
        make(folder / "model.safetensors");
        return error_of(folder);
    };
    CHECK(opened([](const auto& file) { write_text(file, ""); }) ==
          "model.safetensors: expected a file with content, got 0 bytes");
    CHECK(opened([](const auto& file) { std::filesystem::create_directory(file); }) ==
          "model.safetensors: expected a regular file, got none");
    CHECK(opened([](const auto& file) { REQUIRE(::mkfifo(file.c_str(), 0600) == 0); }) ==
          "model.safetensors: expected a regular file, got none");
    CHECK(opened([](const auto& file) {
              std::filesystem::create_symlink("gone", file);
          }).find("model.safetensors") != std::string::npos);
}
