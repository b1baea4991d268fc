// The one file of the programs that includes the back ends.
#include "apps/start_model.hpp"
#include "g4/backends/cpu/executor.hpp"
#include "g4/backends/cpu/print_passes.hpp"
#include "g4/engine/kv_sizing.hpp"
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

/// The budget for caches, and the longest sequence when the user names none.
std::vector<kv_reservation> reserve(const plan& p, const run_options& options,
                                    std::int64_t longest, std::int32_t& max_model_len,
                                    std::int32_t step_rows, const logger& log) {
    const double free = available_memory();
    kv_budget budget{.bytes = options.kv_cache_bytes.value_or(
                         std::min(free > 0 ? free / 4 : 1e9, 4.0 * (1 << 30))),
                     .max_model_len = 0, .max_num_seqs = options.max_num_seqs,
                     .step_rows = step_rows, .page_tokens = 16};
    if (options.max_model_len && *options.max_model_len > longest)
        throw input_error{"max_model_len: expected at most ", longest,
                          ", the model's max_position_embeddings, got ", *options.max_model_len};
    max_model_len = options.max_model_len.value_or(static_cast<std::int32_t>(longest));
    for (;;) {
        budget.max_model_len = max_model_len;
        try {
            return reserve_kv(p, budget);
        } catch (const input_error&) {
            if (options.max_model_len || max_model_len < 1024) throw;
            max_model_len = max_model_len / 2;
            log.info("kv cache: ", static_cast<std::int64_t>(budget.bytes),
                     " bytes hold no longer sequence: max_model_len is ", max_model_len);
        }
    }
}

void print_reserved(const plan& p, const std::vector<kv_reservation>& kinds, const launch& size,
                    const logger& log) {
    double sum = 0;
    for (const kv_reservation& k : kinds) {
        sum += k.bytes();
        log.info("kv cache: ", k.window_tokens == 0 ? std::string{"whole context"}
                                                    : concat("window of ", k.window_tokens),
                 ": ", k.pages, " pages of 16 tokens, ", fixed(k.page_bytes), " bytes each, ",
                 megabytes(k.bytes()));
    }
    log.info("kv cache: ", megabytes(sum), " in all; activations: ",
             megabytes(arena_of(p, size).planned), " for steps of ", size.tokens, " rows, ",
             size.wanted, " of them wanted");
}

}  // namespace

running_model start_model(const std::filesystem::path& folder, const run_options& options,
                                 const logger& log) {
    if (options.device != "auto" && options.device != "cpu")
        throw input_error{"--device: expected auto or cpu, got \"", options.device,
                          "\"; this build has no other back end"};
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
    const std::int32_t rows = std::min(std::max(options.max_num_batched_tokens, 1), 512);
    const std::int32_t wanted = std::max(options.max_num_seqs, 64);
    const auto kinds = reserve(*out.planned, options,
                                       out.config.model.max_position_embeddings,
                                       out.max_model_len, rows, log);
    print_reserved(*out.planned, kinds,
                           {static_cast<double>(rows), static_cast<double>(std::min(rows, wanted))},
                           log);
    cpu::cpu_options cpu;
    cpu.rows = rows;
    cpu.wanted = std::min(rows, wanted);
    cpu.sequences = options.max_num_seqs;
    cpu.page_tokens = 16;
    for (const kv_reservation& k : kinds) cpu.pages.push_back(k.pages);
    cpu.threads = options.threads;
    cpu.activation_bits = options.activation_bits;
    cpu.log = log;
    out.threads = options.threads > 0 ? options.threads : cpu::usable_processors();
    out.runs = cpu::make_cpu_executor(*out.planned, out.table(), cpu);
    return out;
}

std::string print_lowered(const plan& planned, const weight_table& weights) {
    cpu::thread_pool pool{cpu::usable_processors()};
    const cpu::packed_weights packed{planned, weights, pool, 0};
    cpu::rope_tables ropes;
    std::map<std::string, std::vector<float>> vectors;
    return cpu::print(cpu::build_passes(planned, packed, ropes, vectors));
}

}  // namespace g4::apps
