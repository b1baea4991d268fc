// Where a model runs: the processor here, a GPU in start_cuda.cpp.
#include "apps/start_model.hpp"
#include "apps/kv_reserve.hpp"
#include "apps/start_cuda.hpp"
#include "g4/backends/cpu/executor.hpp"
#include "g4/backends/cpu/print_passes.hpp"
#include "g4/backends/cuda/lower.hpp"
#include "g4/backends/cuda/merge_rows.hpp"
#include "g4/backends/cuda/print_passes.hpp"
#include <fstream>

namespace g4::apps {

namespace {

/// Bytes that the system says can be had without swapping; 0 where it does not say.
double available_memory() {
    std::ifstream file{"/proc/meminfo"};
    for (std::string name, unit; file >> name;) {
        double kilobytes = 0;
        if (name == "MemAvailable:" && file >> kilobytes) return kilobytes * 1024;
        std::getline(file, unit);
    }
    return 0;
}

/// Makes out.runs on the processor.
void start_cpu(running_model& out, const run_options& options, const logger& log) {
    cpu::cpu_options cpu;
    cpu.rows = std::clamp(options.max_num_batched_tokens.value_or(512), 1, 512);
    cpu.sequences = options.max_num_seqs.value_or(64);
    cpu.wanted = std::min(cpu.rows, std::max(cpu.sequences, 64));
    cpu.page_tokens = 16;
    const double free = available_memory();
    const kv_budget budget{.bytes = options.kv_cache_bytes.value_or(
                               std::min(free > 0 ? free / 4 : 1e9, 4.0 * (1 << 30))),
                           .max_model_len = 0, .max_num_seqs = cpu.sequences,
                           .step_rows = cpu.rows, .page_tokens = cpu.page_tokens};
    const auto kinds = reserve(*out.planned, options, budget,
                               out.config.model.max_position_embeddings, out.max_model_len, log);
    print_reserved(kinds, cpu.page_tokens, log);
    log.info("activations: ",
             megabytes(arena_of(*out.planned, {static_cast<double>(cpu.rows),
                                               static_cast<double>(cpu.wanted)}).planned),
             " for steps of ", cpu.rows, " rows, ", cpu.wanted, " of them wanted");
    for (const kv_reservation& k : kinds) cpu.pages.push_back(k.pages);
    cpu.threads = options.threads;
    cpu.activation_bits = options.activation_bits;
    cpu.log = log;
    out.threads = options.threads > 0 ? options.threads : cpu::usable_processors();
    out.device = "cpu";
    out.runs = cpu::make_cpu_executor(*out.planned, out.table(), cpu);
}

}  // namespace

running_model start_model(const std::filesystem::path& folder, const run_options& options,
                                 const logger& log) {
    running_model out{.config = read_model_config(folder)};
    const bound_program& program = out.config.model.program;
    if (options.dummy_weights) {
        log.info("weights: made up for the sizes of ", folder.string(), ", none are read");
        out.made_up = std::make_unique<dummy_weights>(declared_weights(program),
                                                      options.int4_dummy);
    } else {
        out.weights = load_weights(out.config, log);
    }
    out.planned = std::make_unique<plan>(compile_plan(program, bytes_in(out.table())));
    std::string why;
    std::optional<device> gpu;
    if (options.device != "cpu") gpu = find_gpu(why, options);
    if (options.device == "cuda" && !gpu)
        throw input_error{"--device cuda: expected a GPU that can be used, got none: ", why};
    if (options.device == "auto" && !gpu)
        log.info("device: cpu, because no GPU can be used: ", why);
    if (gpu) start_cuda(out, *gpu, options, log);
    else start_cpu(out, options, log);
    return out;
}

std::string print_lowered(const plan& planned, const weight_table& weights,
                          const std::string& back_end) {
    if (back_end == "cuda") {
        cuda::lowered_plan lowered = cuda::lower(planned);
        cuda::merge_rows(lowered);
        return cuda::print(lowered);
    }
    cpu::thread_pool pool{cpu::usable_processors()};
    const cpu::packed_weights packed{planned, weights, pool, 0};
    cpu::rope_tables ropes;
    cpu::norm_factors factors;
    return cpu::print(cpu::build_passes(planned, packed, ropes, factors));
}

}  // namespace g4::apps
