// All kernels of a model for one architecture in a file: serving from it needs no compiler.
#pragma once
#include "g4/core/error.hpp"
#include "g4/core/file.hpp"
#include "g4/core/sha256.hpp"
#include "g4/emit/request.hpp"
#include "g4/jit/build.hpp"
#include "g4/jit/cache.hpp"
#include "g4/jit/compiler.hpp"
#include "g4/jit/headers.hpp"
#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace g4::jit {

/// What a bundle was made for and by.
///   g4_version  of the programs; requests and arguments change with it
///   codegen     hash_of the device code, which may change between two builds of one version
///   model       hash of the plan and of what else the kernels depend on
///   arch        "sm_90a"
///   nvrtc       the compiler's version, for people
///   driver      the oldest CUDA that a driver must know to load it: 13000
struct bundle_header {
    std::string g4_version, codegen, model, arch, nvrtc;
    int driver = 0;
};
/// plan: text of the one who made it, kept as it is.
struct bundle {
    bundle_header header;
    std::string plan;
    std::vector<built_kernel> kernels;
};

inline std::string hash_of(const header_map& headers) {
    std::string all;
    for (const auto& [path, text] : headers)
        all += concat(path, " ", text.size(), "\n", text, "\n");
    return sha256(all);
}
/// Code made by NVRTC runs on drivers of its major version, from the first release on.
inline int oldest_driver(std::string_view nvrtc_version) {
    int major = 0;
    std::from_chars(nvrtc_version.data(), nvrtc_version.data() + nvrtc_version.size(), major);
    return major * 1000;
}

namespace detail {

inline constexpr std::string_view bundle_word = "g4-bundle";
inline constexpr int bundle_schema = 1;

// A field is "name size\n", so many bytes and "\n".
inline void put(std::string& out, std::string_view name, std::string_view bytes) {
    out += concat(name, " ", bytes.size(), "\n", bytes, "\n");
}

// Takes the fields in the order in which they were put.
class field_reader {
  public:
    field_reader(std::string_view bytes, std::string file) : left_{bytes}, file_{std::move(file)} {}

    std::string_view take(std::string_view name) {
        const std::size_t end = left_.find('\n');
        std::string_view line = left_.substr(0, end);
        if (end == left_.npos || !line.starts_with(name) || line.substr(name.size(), 1) != " ")
            fail(name);
        line.remove_prefix(name.size() + 1);
        const std::size_t size = number(line, name);
        left_.remove_prefix(end + 1);
        if (left_.size() <= size || left_[size] != '\n') fail(name);
        const std::string_view out = left_.substr(0, size);
        left_.remove_prefix(size + 1);
        return out;
    }
    std::size_t take_number(std::string_view name) { return number(take(name), name); }
    bool done() const { return left_.empty(); }
    [[noreturn]] void fail(std::string_view name) const {
        throw input_error{file_, ": expected the field ", name, " of a bundle, got other bytes"};
    }

  private:
    std::size_t number(std::string_view digits, std::string_view name) const {
        std::size_t out = 0;
        const auto [end, failed] = std::from_chars(digits.begin(), digits.end(), out);
        if (failed != std::errc{} || end != digits.end()) fail(name);
        return out;
    }
    std::string_view left_;
    std::string file_;
};

}  // namespace detail

/// Writes the file whole or not at all. Errors: input_error when it cannot be written.
inline void write_bundle(const std::filesystem::path& file, const bundle& from) {
    std::string body;
    detail::put(body, "g4", from.header.g4_version);
    detail::put(body, "codegen", from.header.codegen);
    detail::put(body, "model", from.header.model);
    detail::put(body, "arch", from.header.arch);
    detail::put(body, "nvrtc", from.header.nvrtc);
    detail::put(body, "driver", concat(from.header.driver));
    detail::put(body, "plan", from.plan);
    detail::put(body, "kernels", concat(from.kernels.size()));
    for (const built_kernel& one : from.kernels) {
        const kernel_report& report = one.report;
        detail::put(body, "name", one.request.name);
        detail::put(body, "text", one.request.text);
        detail::put(body, "hopper", one.request.hopper ? "1" : "0");
        detail::put(body, "registers", concat(report.registers));
        detail::put(body, "spilled", concat(report.spill_store_bytes));
        detail::put(body, "cubin", one.cubin);
    }
    kernel_cache::write_whole(file, concat(detail::bundle_word, " ", detail::bundle_schema, " ",
                                           sha256(body), "\n", body));
}

/// Errors: input_error when the file is none, is damaged, or has another form.
inline bundle read_bundle(const std::filesystem::path& file) {
    constexpr std::uintmax_t max_bytes = std::uintmax_t{4} << 30;
    const std::string name = file.string(), bytes = read_file(file, max_bytes);
    const std::size_t end = std::min(bytes.find('\n'), bytes.size());
    const std::string_view first = std::string_view{bytes}.substr(0, end);
    const std::string form = concat(detail::bundle_word, " ", detail::bundle_schema, " ");
    if (!first.starts_with(detail::bundle_word))
        throw input_error{name, ": expected a bundle of g4-compile, got another file"};
    if (!first.starts_with(form))
        throw input_error{
            name,       ": expected a bundle of form ", detail::bundle_schema,
            ", got \"", first.substr(0, form.size()),   "\": make it anew with this g4-compile"};
    const std::string_view body = std::string_view{bytes}.substr(std::min(end + 1, bytes.size()));
    if (sha256(body) != first.substr(form.size()))
        throw input_error{name, ": expected bytes of the hash that its first line holds, got ",
                          "others: the file is damaged"};
    detail::field_reader fields{body, name};
    bundle out;
    out.header.g4_version = fields.take("g4");
    out.header.codegen = fields.take("codegen");
    out.header.model = fields.take("model");
    out.header.arch = fields.take("arch");
    out.header.nvrtc = fields.take("nvrtc");
    out.header.driver = static_cast<int>(fields.take_number("driver"));
    out.plan = fields.take("plan");
    const std::size_t count = fields.take_number("kernels");
    for (std::size_t i = 0; i < count; ++i) {
        built_kernel one{.request = {}, .cubin = {}, .report = {}, .from_cache = true};
        one.request.name = fields.take("name");
        one.request.text = fields.take("text");
        one.request.hopper = fields.take("hopper") == "1";
        one.report.registers = static_cast<int>(fields.take_number("registers"));
        one.report.spill_store_bytes = fields.take_number("spilled");
        one.cubin = fields.take("cubin");
        out.kernels.push_back(std::move(one));
    }
    if (!fields.done()) fields.fail("end");
    return out;
}

/// Refuses in words a bundle that was made for something else.
///   wanted  of the running program, model and device; driver: what its driver knows
/// Errors: input_error.
inline void check_bundle(const bundle_header& got, const bundle_header& wanted,
                         const std::string& file) {
    const auto same = [&](std::string_view what, const std::string& want, const std::string& have) {
        if (want != have)
            throw input_error{
                file, ": expected a bundle for ", what, " ",
                want, ", got one for ",           have, ": make it anew with g4-compile"};
    };
    same("g4", wanted.g4_version, got.g4_version);
    same("the device code", wanted.codegen, got.codegen);
    same("the architecture", wanted.arch, got.arch);
    same("the model and options of hash", wanted.model, got.model);
    if (wanted.driver < got.driver)
        throw input_error{file,
                          ": expected a driver of CUDA ",
                          got.driver / 1000,
                          " or later for code of NVRTC ",
                          got.nvrtc,
                          ", got one of CUDA ",
                          wanted.driver / 1000,
                          ".",
                          wanted.driver % 1000 / 10,
                          ": update the driver, or make the bundle with an older NVRTC"};
}

/// The kernels of these requests, in their order.
/// Errors: input_error that names the first one missing.
inline std::vector<built_kernel> kernels_of(const bundle& from,
                                            std::span<const kernel_request> requests,
                                            const std::string& file) {
    std::map<std::pair<std::string_view, std::string_view>, const built_kernel*> known;
    for (const built_kernel& one : from.kernels)
        known.emplace(
            std::pair{std::string_view{one.request.name}, std::string_view{one.request.text}},
            &one);
    std::vector<built_kernel> out;
    for (const kernel_request& request : requests) {
        const auto at = known.find({request.name, request.text});
        if (at == known.end())
            throw input_error{file,
                              ": expected the kernel ",
                              request.name,
                              " among the bundle's ",
                              from.kernels.size(),
                              ", got none of its text: make the bundle anew with g4-compile"};
        out.push_back(*at->second);
    }
    return out;
}

}  // namespace g4::jit
