// A model folder brought to run: weights, plan, reserved caches and a back end for this machine.
#pragma once
#include "apps/model.hpp"
#include "g4/gate/executor.hpp"
#include "g4/weights/dummy.hpp"
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

namespace g4::apps {

/// What a program lets its user choose about how a model runs.
struct run_options {
    std::string device = "auto";            // auto, cpu, cuda
    bool dummy_weights = false;             // sizes of the config, values made up
    std::optional<std::int32_t> max_model_len{};  // none: as long as model and memory allow
    std::optional<std::int32_t> max_num_seqs{};            // none: 64, on a GPU 256
    std::optional<std::int32_t> max_num_batched_tokens{};  // none: 512, on a GPU 4096
    /// none: on the CPU a quarter of the memory that is free, at most four GiB; on a GPU what
    /// gpu_memory_utilization leaves. Never more than all sequences need.
    std::optional<double> kv_cache_bytes{};
    double gpu_memory_utilization = 0.9;     // of the GPU's whole memory, all that g4 takes
    std::filesystem::path kernel_cache{};    // folder of compiled kernels; empty: none are kept
    std::filesystem::path codegen{};         // device code on disk; empty: the program's own
    std::vector<std::filesystem::path> toolkits{};  // where NVRTC is looked for first
    std::filesystem::path bundle{};          // of g4-compile -o; empty: NVRTC compiles
    std::string cuda_driver = "libcuda.so.1";
    bool cuda_graphs = true;
    bool hopper_kernels = true;              // where the GPU has wgmma
    int threads = 0;
    int activation_bits = 16;
    bool int4_dummy = true;                 // dummy linears as W4A16 g128, else bf16
};

/// Everything that must live as long as the executor.
struct running_model {
    model_config_file config;
    loaded_weights weights{};
    std::unique_ptr<dummy_weights> made_up{};
    std::unique_ptr<plan> planned{};
    std::unique_ptr<executor> runs{};
    std::int32_t max_model_len = 0;
    int threads = 0;          // of the CPU back end
    std::string device{};     // "cpu", or the GPU's name

    const weight_table& table() const { return made_up ? made_up->table() : weights.table; }
};

/// Loads a folder and makes it ready. Every byte is reserved here; progress goes to the log.
/// Errors: input_error for what is wrong with folder or options.
running_model start_model(const std::filesystem::path& folder, const run_options& options,
                          const logger& log);

/// The stages of a plan as a back end ("cpu" or "cuda") lowers them, equal ones once.
std::string print_lowered(const plan& planned, const weight_table& weights,
                          const std::string& back_end);

}  // namespace g4::apps
