// g4-compile: prints what the compiler makes of a model folder, pass by pass.
#include "apps/compile/options.hpp"
#include "apps/kernel_folders.hpp"
#include "apps/start_cuda.hpp"
#include "apps/start_model.hpp"
#include <chrono>
#include <cstdio>

namespace {
using namespace g4;

void put(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

/// Whether the folder holds weights at all; a config alone can be compiled too.
bool has_weights(const std::filesystem::path& folder) {
    for (const auto& entry : std::filesystem::directory_iterator{folder})
        if (entry.path().extension() == ".safetensors") return true;
    return false;
}

std::string print_tensors(const bound_program& program) {
    std::string out;
    double parameters = 0;
    const auto tensors = declared_tensors(program);
    for (const declared_tensor& t : tensors) {
        out += concat("  ", t.name, " [", t.size.rows, ", ", t.size.columns, "]",
                      t.linear ? "" : " plain", "\n");
        parameters += static_cast<double>(t.size.rows * t.size.columns);
    }
    return concat("tensors: ", tensors.size(), ", parameters ", fixed(parameters), "\n", out);
}

std::string summary(const plan& p, const stored_bytes& bytes) {
    return concat("plan: ", p.stages.size(), " stages, ", p.buffers.size(), " buffers in ",
                  p.slots.size(), " slots, ", p.caches.size(), " caches\n",
                  print_arena(p, "arena for a decode of 1 sequence", {1, 1}), print_caches(p),
                  "floor of one decoded token\n", print_floor(p, bytes, 128),
                  print_floor(p, bytes, 1024), print_floor(p, bytes, 16384));
}

void run(const apps::compile_options& options) {
    const logger log{[](log_level, const std::string& line) {
        std::fprintf(stderr, "g4-compile: %s\n", line.c_str());
    }};
    apps::model_config_file config = apps::read_model_config(options.model_folder);
    apps::loaded_weights weights;
    const bool stored = has_weights(config.folder);
    if (stored) weights = apps::load_weights(config, log);
    else log.warning(options.model_folder, ": no weights there; bytes are those of bf16");
    const stored_bytes bytes = stored ? apps::bytes_in(weights.table) : stored_bytes{all_bf16};

    if (options.tensors) put(print_tensors(config.model.program));
    using clock = std::chrono::steady_clock;
    clock::time_point last = clock::now();
    std::string times;
    const plan p = compile_plan(
        config.model.program, bytes,
        [&](std::string_view pass, const std::function<std::string()>& print) {
            const std::chrono::duration<double, std::milli> took = clock::now() - last;
            times += concat("  ", pass, " ", fixed(took.count(), 3), " ms\n");
            for (const std::string& wanted : options.dump_after)
                if (wanted == pass) put(print());
            last = clock::now();
        });
    if (options.emit && !stored)
        throw input_error{"--emit: expected weights in ", options.model_folder,
                          ", got none: the kernels depend on how each linear is stored"};
    if (!options.arch.empty() && !stored)
        throw input_error{"--arch: expected weights in ", options.model_folder,
                          ", got none: the kernels depend on how each linear is stored"};
    if (options.emit && options.arch.empty())
        put(apps::print_lowered(p, weights.table, options.device));
    if (options.emit && !options.arch.empty())
        for (const kernel_request& r : apps::cuda_requests(p, weights.table, {}, options.arch))
            put(concat("// ", r.name, "\n", r.text, "\n"));
    if (!options.output.empty())
        apps::write_bundle(p, weights.table, {.toolkits = apps::toolkits_of_environment()},
                           options.arch, options.output, log);
    if (options.time) put("time, each pass with its verify\n" + times);
    if (!options.tensors && !options.time && !options.emit && options.dump_after.empty() &&
        options.output.empty())
        put(summary(p, bytes));
}
}  // namespace

int main(int argc, char** argv) try {
    const auto options = g4::apps::parse_compile_options(
        {argv + 1, argv + std::max(argc, 1)});
    if (options.help) put(std::string{g4::apps::compile_help});
    else run(options);
    return 0;
} catch (const g4::input_error& error) {
    std::fprintf(stderr, "g4-compile: %s\n", error.what());
    return 2;
} catch (const std::exception& error) {
    std::fprintf(stderr, "g4-compile: %s\n", error.what());
    return 1;
}
