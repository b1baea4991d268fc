// Long passes over bytes, cut into slices for short-lived threads: comparing and filling tensors.
#pragma once
#include <algorithm>
#include <cstddef>
#include <exception>
#include <thread>
#include <vector>

namespace g4 {

/// Calls work(begin, end) for slices that cover [0, count) exactly, on up to `threads` threads
/// (0: as many as the machine runs at once), and returns when all are done. Slices start at
/// multiples of `grain`, which also is the least worth a thread of its own.
/// Errors: rethrows what a slice threw.
template <class Work>
void for_slices(std::size_t count, std::size_t grain, unsigned threads, Work&& work) {
    if (count == 0) return;
    const std::size_t grains = (count + grain - 1) / grain;
    const std::size_t wanted =
        threads != 0 ? threads : std::max(1u, std::thread::hardware_concurrency());
    const std::size_t parts = std::min(grains, wanted);
    std::vector<std::exception_ptr> failed(parts);
    const auto run = [&](std::size_t part) {
        try {
            work(grains * part / parts * grain,
                 std::min(count, grains * (part + 1) / parts * grain));
        } catch (...) {
            failed[part] = std::current_exception();
        }
    };
    {
        std::vector<std::jthread> helpers;
        for (std::size_t part = 1; part < parts; ++part) helpers.emplace_back(run, part);
        run(0);
    }
    for (const std::exception_ptr& error : failed)
        if (error) std::rethrow_exception(error);
}

}  // namespace g4
