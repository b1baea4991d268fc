// The driver's tensor map as the host and NVRTC share it: no includes, no toolkit header.
#pragma once

namespace g4k {

/// What cuTensorMapEncodeTiled writes (CUtensorMap). Lies in the arguments of a kernel, which must
/// take them as __grid_constant__: the copy engine reads it there.
struct alignas(64) tensor_map {
    unsigned long long opaque[16];
};

}  // namespace g4k
