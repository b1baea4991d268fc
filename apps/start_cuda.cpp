// The one file of the programs that includes the CUDA back end.
#include "apps/start_cuda.hpp"
#include "apps/kv_reserve.hpp"
#include "g4/backends/cuda/executor.hpp"
#include "g4/core/sha256.hpp"
#include "g4/jit/build.hpp"
#include "g4/jit/bundle.hpp"
#include <fstream>

namespace g4::apps {

namespace {

jit::header_map headers_of(const run_options& options) {
    return options.codegen.empty() ? jit::embedded_headers() : jit::read_headers(options.codegen);
}

/// What a bundle must have been made for, besides the architecture.
std::string model_hash(const plan& planned, const weight_table& weights) {
    return sha256(print(planned, bytes_in(weights)));
}

/// Opens NVRTC. driver: the newest CUDA that it may make code for; 0: any.
jit::compiler open_compiler(const run_options& options, int driver) {
    return jit::compiler{headers_of(options),
                         {.search = jit::toolkit_search::with(options.toolkits),
                          .line_info = false, .driver_version = driver}};
}

cuda::kernel_source compiler_of(const run_options& options, const logger& log) {
    return [options, log](const device& on, const std::vector<kernel_request>& requests) {
        std::optional<jit::kernel_cache> cache;
        if (!options.kernel_cache.empty()) cache.emplace(options.kernel_cache);
        jit::kernel_builder builder{open_compiler(options, on.info().driver_version),
                                    std::move(cache), {.log = log}};
        return std::make_unique<kernel_library>(on, builder.build(requests, on.info().arch));
    };
}
cuda::kernel_source bundle_of(const run_options& options, const std::string& model,
                              const logger& log) {
    return [options, model, log](const device& on, const std::vector<kernel_request>& requests) {
        const std::string file = options.bundle.string();
        const jit::bundle read = jit::read_bundle(options.bundle);
        jit::check_bundle(read.header,
                          {.g4_version = G4_VERSION, .codegen = jit::hash_of(headers_of(options)),
                           .model = model, .arch = on.info().arch,
                           .nvrtc = {}, .driver = on.info().driver_version}, file);
        log.info("kernels: ", requests.size(), " of the ", read.kernels.size(), " of ", file);
        return std::make_unique<kernel_library>(on, jit::kernels_of(read, requests, file));
    };
}

/// Positions of a sequence as far as they change the choice of a kernel.
std::int32_t longest_of(const run_options& options) {
    return options.max_model_len.value_or(1 << 17);
}

cuda::cuda_options cuda_options_of(const run_options& options, std::int32_t longest,
                                   const logger& log) {
    cuda::cuda_options out;
    out.rows = std::max(options.max_num_batched_tokens.value_or(4096), 1);
    out.sequences = std::max(options.max_num_seqs.value_or(256), 1);
    out.wanted = std::max(out.sequences, 256);
    out.longest = longest;
    out.replay = options.cuda_graphs;
    out.hopper = options.hopper_kernels;
    out.log = log;
    return out;
}

}  // namespace

std::optional<device> find_gpu(std::string& why, const run_options& options) {
    try {
        const device on{cu::open_driver(options.cuda_driver)};
        if (options.bundle.empty()) open_compiler(options, on.info().driver_version);
        return on;
    } catch (const device_error& error) {
        why = error.what();
        return std::nullopt;
    }
}

void start_cuda(running_model& out, const device& on, const run_options& options,
                const logger& log) {
    log.info("device: ", on.info().name, ", ", on.info().arch, ", ",
             megabytes(static_cast<double>(on.info().memory_bytes)), " of memory at ",
             on.info().memory_gigabytes_per_second, " GB/s, CUDA ",
             on.info().driver_version / 1000, ".", on.info().driver_version % 1000 / 10);
    const std::int64_t longest = out.config.model.max_position_embeddings;
    cuda::cuda_options cuda = cuda_options_of(
        options, static_cast<std::int32_t>(options.max_model_len.value_or(
                     static_cast<std::int32_t>(std::min<std::int64_t>(longest, 1 << 30)))), log);
    if (!options.bundle.empty())  // it was made with these choices
        cuda.target = cuda::target_of(on.info().arch);
    const memory_room before = on.memory();
    const auto pages = [&](double free) {
        const double total = static_cast<double>(before.total_bytes);
        const double taken = static_cast<double>(before.free_bytes) - free;
        // The driver takes memory later still, for replays and for kernels that use local memory.
        constexpr double later = 1e9;
        const double left =
            std::min(total * options.gpu_memory_utilization - taken, free - later);
        const kv_budget budget{.bytes = options.kv_cache_bytes.value_or(std::max(left, 0.0)),
                               .max_model_len = 0, .max_num_seqs = cuda.sequences,
                               .step_rows = cuda.rows, .page_tokens = cuda.page_tokens};
        const auto kinds = reserve(*out.planned, options, budget, longest, out.max_model_len, log);
        print_reserved(kinds, cuda.page_tokens, log);
        std::vector<std::int32_t> counts;
        for (const kv_reservation& k : kinds) counts.push_back(k.pages);
        return counts;
    };
    const cuda::kernel_source source =
        options.bundle.empty() ? compiler_of(options, log)
                               : bundle_of(options, model_hash(*out.planned, out.table()), log);
    out.runs = cuda::make_cuda_executor(on, *out.planned, out.table(), cuda, source, pages);
    out.device = on.info().name;
}

std::vector<kernel_request> cuda_requests(const plan& planned, const weight_table& weights,
                                          const run_options& options, const std::string& arch) {
    const cuda::cuda_options cuda = cuda_options_of(options, longest_of(options), {});
    return cuda::survey{planned, weights, cuda, cuda::target_of(arch)}.kernels().requests();
}

void write_bundle(const plan& planned, const weight_table& weights, const run_options& options,
                  const std::string& arch, const std::filesystem::path& file, const logger& log) {
    const auto requests = cuda_requests(planned, weights, options, arch);
    const jit::header_map headers = headers_of(options);
    jit::compiler compiler = open_compiler(options, 0);
    const std::string nvrtc = compiler.with().version();
    jit::kernel_builder builder{std::move(compiler), std::nullopt, {.log = log}};
    jit::bundle out{{G4_VERSION, jit::hash_of(headers), model_hash(planned, weights), arch, nvrtc,
                     jit::oldest_driver(nvrtc)}, print(planned, bytes_in(weights)),
                    builder.build(requests, arch)};
    jit::write_bundle(file, out);
    log.info("bundle: ", out.kernels.size(), " kernels for ", arch, " in ", file.string());
}

}  // namespace g4::apps
