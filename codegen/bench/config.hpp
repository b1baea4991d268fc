// What the measurement of the read limit is launched with. The host and NVRTC read it: no includes.
#pragma once

namespace g4k {

inline constexpr int read_threads = 512;  // of a block
inline constexpr int read_blocks = 4;     // of a multiprocessor

struct read_args {
    const void* data;   // 16-byte aligned
    long long count;    // of pieces of 16 bytes
    unsigned* kept;     // [threads of the launch]: what each has read, all bits combined by xor
};

}  // namespace g4k
