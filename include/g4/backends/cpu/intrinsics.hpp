// The processor's intrinsics, without GCC 12's false alarms about their undefined operands.
#pragma once
#include "g4/backends/cpu/isa.hpp"
#ifdef G4_CPU_X86
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
#endif
