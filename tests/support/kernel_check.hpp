// Every kernel of every plan, compiled for one architecture: none may spill a register. Needs
// NVRTC, and no GPU.
#pragma once
#include "apps/start_cuda.hpp"
#include "g4/jit/build.hpp"
#include "models/gemma3/model.hpp"
#include "models/gemma4/model.hpp"
#include "tests/support/nvrtc.hpp"
#include "tests/support/parity_case.hpp"
#include "tests/support/weight_forms.hpp"
#include <doctest/doctest.h>
#include <map>

namespace g4::testing {

/// Distinct requests by their text, each with the plan that asked first.
class gathered {
  public:
    explicit gathered(std::string arch) : arch_{std::move(arch)} {}

    void add(const std::string& who, const plan& planned, const weight_table& weights) {
        apps::run_options options;
        options.max_num_seqs = 128;
        options.max_num_batched_tokens = 2048;
        options.max_model_len = 4096;
        for (const kernel_request& r : apps::cuda_requests(planned, weights, options, arch_))
            if (requests_.emplace(r.text, r).second) asked_.emplace(r.text, who);
    }
    std::vector<kernel_request> requests() const {
        std::vector<kernel_request> out;
        for (const auto& [text, request] : requests_) out.push_back(request);
        return out;
    }
    const std::string& who(const kernel_request& r) const { return asked_.at(r.text); }

  private:
    std::string arch_;
    std::map<std::string, kernel_request> requests_;
    std::map<std::string, std::string> asked_;
};

inline gathered all_plans(const std::string& arch) {
    gathered out{arch};
    const auto published = [&](const std::string& name, const bound_program& program) {
        const plan planned = compile_plan(program);
        for (const std::int32_t group : {0, 32, 128})
            out.add(concat(name, " g", group), planned,
                    forms_of(planned.program(), group));
    };
    published("E4B", bind_program<gemma4::text_model>(gemma4::e4b));
    published("E2B", bind_program<gemma4::text_model>(gemma4::e2b));
    published("Gemma 3 270M", bind_program<gemma3::text_model>(gemma3::published_270m));
    published("Gemma 3 4B", bind_program<gemma3::text_model>(gemma3::published_4b));
    for (const auto& file : parity_files()) {
        const parity_case recorded = read_parity_case(file);
        const apps::model_config_file config = apps::read_model_config(recorded.checkpoint);
        const apps::loaded_weights weights = apps::load_weights(config, {});
        out.add(recorded.name, compile_plan(config.model.program), weights.table);
    }
    return out;
}

inline void check_kernels(const std::string& arch) {
    const gathered all = all_plans(arch);
    const std::vector<kernel_request> requests = all.requests();
    CHECK(requests.size() > 40);
    jit::kernel_builder builder{open_compiler(),
                                jit::kernel_cache{G4_BINARY_DIR "/kernels"}};
    for (const jit::built_kernel& built : builder.build(requests, arch)) {
        INFO(arch, ": ", built.request.name, " of ", all.who(built.request), ": ",
             built.report.registers, " registers, spilled bytes ", built.report.spill_store_bytes,
             " stored, ", built.report.spill_load_bytes, " loaded\n", built.request.text);
        CHECK(!built.report.spills());
        CHECK(built.cubin.size() > 0);
    }
    MESSAGE(arch, ": ", requests.size(), " kernels");
}

}  // namespace g4::testing
