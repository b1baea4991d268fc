// Files that are written tensor by tensor read back whole, and what goes wrong is told.
#include "g4/weights/safetensors_output.hpp"
#include "g4/weights/checkpoint.hpp"
#include "tests/support/safetensors_writer.hpp"
#include <csignal>
#include <doctest/doctest.h>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <vector>

namespace {

using namespace g4;
using namespace g4::testing;

std::span<const std::byte> bytes_of_text(std::string_view text) {
    return std::as_bytes(std::span{text});
}
std::string text_of(const stored_tensor& tensor) {
    return {reinterpret_cast<const char*>(tensor.data.data()), tensor.data.size()};
}

}  // namespace

TEST_CASE("safetensors_output: tensors read back, whatever the order and the pieces they came in") {
    const scratch_folder folder;
    safetensors_output out{folder / "model.safetensors",
                           {{"scalar", "BF16", {}, 2},
                            {"words", "I32", {2, 1}, 8},
                            {"odd", "U8", {3}, 3},
                            {"none", "F16", {0, 4}, 0}}};
    out.write("odd", bytes_of_text("odd"));
    out.write("words", bytes_of_text("wor"));
    out.write("scalar", bytes_of_text("sc"));
    out.write("words", bytes_of_text("ds..."));
    out.finish();
    const checkpoint read = checkpoint::open(folder.path());
    REQUIRE(read.tensors().size() == 4);
    CHECK(text_of(*read.find("scalar")) == "sc");
    CHECK(text_of(*read.find("words")) == "words...");
    CHECK(text_of(*read.find("odd")) == "odd");
    CHECK(read.find("none")->shape == std::vector<std::int64_t>{0, 4});
    CHECK(read.find("words")->shape == std::vector<std::int64_t>{2, 1});
}

TEST_CASE(
    "safetensors_output: each tensor lies at a multiple of its element, whatever came before") {
    const scratch_folder folder;
    std::vector<tensor_form> forms;
    const std::string_view types[]{"BF16", "I32", "U8", "F32", "F16", "I64"};
    const std::uint64_t widths[]{2, 4, 1, 4, 2, 8};
    for (std::size_t i = 0; i < 30; ++i)
        forms.push_back({concat("t", i),
                         std::string{types[i % 6]},
                         {static_cast<std::int64_t>(i % 5 + 1)},
                         widths[i % 6] * (i % 5 + 1)});
    safetensors_output out{folder / "model.safetensors", forms};
    for (const tensor_form& form : forms)
        out.write(form.name, bytes_of_text(std::string(form.bytes, 'x')));
    out.finish();
    const checkpoint read = checkpoint::open(folder.path());
    for (std::size_t i = 0; i < 30; ++i)
        CHECK(reinterpret_cast<std::uintptr_t>(read.find(concat("t", i))->data.data()) %
                  widths[i % 6] ==
              0);
}

TEST_CASE("safetensors_output: a file that is there is not written over") {
    const scratch_folder folder;
    write_text(folder / "x", "here");
    const std::string wrong = input_error_of([&] { safetensors_output{folder / "x", {}}; });
    CHECK(wrong == concat((folder / "x").string(), ": cannot be made: File exists"));
}

TEST_CASE("safetensors_output: a folder that is missing is named") {
    const std::string wrong = input_error_of([] { safetensors_output{"/nowhere/at/all/x", {}}; });
    CHECK(wrong == "/nowhere/at/all/x: cannot be made: No such file or directory");
}

TEST_CASE(
    "safetensors_output: our own mistakes show: too many bytes, too few, another name, twice") {
    const scratch_folder folder;
    const tensor_form form{"a", "U8", {4}, 4};
    safetensors_output out{folder / "x", {form}};
    CHECK_THROWS_AS(out.write("b", bytes_of_text("x")), internal_error);
    out.write("a", bytes_of_text("123"));
    CHECK_THROWS_AS(out.finish(), internal_error);
    CHECK_THROWS_AS(out.write("a", bytes_of_text("45")), internal_error);
    CHECK_THROWS_AS((safetensors_output{folder / "y", {form, form}}), internal_error);
}

TEST_CASE("safetensors_output: when the system takes no more bytes, file and reason are named") {
    const scratch_folder folder;
    ::rlimit before{};
    ::getrlimit(RLIMIT_FSIZE, &before);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    const ::rlimit least{4096, before.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &least);
    const std::string wrong = input_error_of([&] {
        safetensors_output out{folder / "x", {{"a", "U8", {8000}, 8000}}};
        out.write("a", bytes_of_text(std::string(8000, 'x')));
        out.finish();
    });
    ::setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, handler);
    CHECK(wrong == concat((folder / "x").string(), ": cannot be written: File too large"));
}
