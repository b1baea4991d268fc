// The device code for sm_120, compiled without a GPU.
#include "tests/support/kernel_check.hpp"

TEST_CASE("cuda kernels: those of every plan compile for sm_120 without a spill") {
    g4::testing::check_kernels("sm_120");
}
