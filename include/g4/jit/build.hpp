// All kernels of a plan at once: looked up in the cache, and what is missing compiled on threads.
#pragma once
#include "g4/core/error.hpp"
#include "g4/core/log.hpp"
#include "g4/emit/request.hpp"
#include "g4/jit/cache.hpp"
#include "g4/jit/compiler.hpp"
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <exception>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace g4::jit {

/// A request and the machine code made of it. Equal requests share neither name nor entry.
struct built_kernel {
    kernel_request request;
    std::string cubin;
    kernel_report report;
    bool from_cache = false;
};

struct builder_options {
    unsigned threads = std::max(1u, std::thread::hardware_concurrency());
    logger log{};
};

/// Compiles the requests of plans, through a cache where one is given.
class kernel_builder {
  public:
    explicit kernel_builder(compiler with, std::optional<kernel_cache> cache = std::nullopt,
                            builder_options options = {})
        : compiler_{std::move(with)}, cache_{std::move(cache)}, options_{std::move(options)} {
        options_.log.info("jit: NVRTC ", compiler_.with().version(), " of ",
                          compiler_.with().file(),
                          cache_ ? ", kernels cached in " + cache_->folder().string() : "");
    }

    /// In the order of the requests. Errors: the first request's that fails, once all threads
    /// are back.
    std::vector<built_kernel> build(std::span<const kernel_request> requests,
                                    const std::string& arch) {
        const auto begin = std::chrono::steady_clock::now();
        std::vector<built_kernel> out(requests.size());
        std::vector<std::exception_ptr> errors(requests.size());
        std::atomic<std::size_t> next{0}, compiled{0};
        std::atomic<bool> stop{false};
        const auto work = [&] {
            for (std::size_t at; !stop && (at = next++) < requests.size();) {
                try {
                    out[at] = build_one(requests[at], arch);
                    if (!out[at].from_cache) report_progress(++compiled, requests.size(), out[at]);
                } catch (...) {
                    errors[at] = std::current_exception();
                    stop = true;
                }
            }
        };
        {
            std::vector<std::jthread> threads;
            const std::size_t wanted = std::min<std::size_t>(options_.threads, requests.size());
            for (std::size_t i = 1; i < wanted; ++i) threads.emplace_back(work);
            work();
        }
        for (const std::exception_ptr& error : errors)
            if (error) std::rethrow_exception(error);
        const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(
            std::chrono::steady_clock::now() - begin);
        options_.log.info("jit: ", requests.size(), " kernels for ", arch, ", ", compiled.load(),
                          " of them compiled, in ", took.count(), " ms");
        warn_of_spills(out);
        return out;
    }

    const compiler& with() const { return compiler_; }

  private:
    built_kernel build_one(const kernel_request& request, const std::string& arch) {
        const nvrtc_program program = compiler_.program(request, arch);
        if (!cache_) return fresh(request, compiler_.compile(program, request.name));
        const std::string key =
            kernel_cache::key(program_maker::inputs(program, compiler_.with().identity()));
        if (auto found = cache_->find(key)) return cached(request, std::move(*found));
        const file_lock only_one = cache_->lock(key);
        if (auto found = cache_->find(key)) return cached(request, std::move(*found));
        compiled_kernel made = compiler_.compile(program, request.name);
        try {
            cache_->store(key, {made.cubin, made.log});
        } catch (const input_error& error) {
            std::call_once(told_unwritable_, [&] {
                options_.log.warning("jit: kernels are not cached: ", error.what());
            });
        }
        return fresh(request, std::move(made));
    }
    static built_kernel fresh(const kernel_request& request, compiled_kernel made) {
        return {request, std::move(made.cubin), made.report, false};
    }
    static built_kernel cached(const kernel_request& request, cache_entry found) {
        const kernel_report report = parse_report(found.log, request.name);
        return {request, std::move(found.cubin), report, true};
    }
    void report_progress(std::size_t compiled, std::size_t of, const built_kernel& one) const {
        options_.log.debug("jit: compiled ", one.request.name, ": ", one.report.registers,
                           " registers");
        if (compiled % 32 == 0) options_.log.info("jit: ", compiled, " of ", of, " compiled");
    }
    void warn_of_spills(std::span<const built_kernel> built) const {
        for (const built_kernel& one : built)
            if (one.report.spills())
                options_.log.warning("jit: ", one.request.name, " spills ",
                                     one.report.spill_store_bytes, " bytes of registers (",
                                     one.report.registers, " used)");
    }

    compiler compiler_;
    std::optional<kernel_cache> cache_;
    builder_options options_;
    std::once_flag told_unwritable_;
};

}  // namespace g4::jit
