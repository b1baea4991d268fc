// A model brought to run on a GPU.
#pragma once
#include "apps/start_model.hpp"
#include "g4/emit/request.hpp"
#include "g4/runtime/device.hpp"

namespace g4::apps {

/// The first GPU, if it can be used here: a driver that finds one, and a compiler unless
/// options.bundle makes it needless. None: `why` says what is missing.
std::optional<device> find_gpu(std::string& why, const run_options& options = {});

/// Makes out.runs from out.planned and out.table() on a GPU; sets max_model_len and device.
/// Errors: input_error for what is wrong with the options; device_error from driver or compiler.
void start_cuda(running_model& out, const device& on, const run_options& options,
                const logger& log);

/// Every kernel that the back end may launch for this plan on a device of this architecture.
std::vector<kernel_request> cuda_requests(const plan& planned, const weight_table& weights,
                                          const run_options& options, const std::string& arch);

/// Writes the kernels of a plan for `arch` into a file that start_cuda takes as options.bundle.
/// Needs the compiler, and no GPU.
void write_bundle(const plan& planned, const weight_table& weights, const run_options& options,
                  const std::string& arch, const std::filesystem::path& file, const logger& log);

}  // namespace g4::apps
