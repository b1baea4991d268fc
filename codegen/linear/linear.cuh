// y = steps(x · wᵀ): the kernel that a linear_config asks for.
#pragma once
#include "codegen/linear/resident.cuh"
#include "codegen/linear/staged.cuh"
#include "codegen/linear/streamed.cuh"

namespace g4k {

template <linear_config C> __device__ void linear(const linear_args& args) {
    if constexpr (C.staged) {
        linear_staged<C>(args);
    } else if constexpr (C.resident) {
        linear_resident<C>(args);
    } else {
        linear_streamed<C>(args);
    }
}

}  // namespace g4k
