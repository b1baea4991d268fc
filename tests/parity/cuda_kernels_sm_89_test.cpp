// The device code for sm_89, compiled without a GPU.
#include "tests/support/kernel_check.hpp"

TEST_CASE("cuda kernels: those of every plan compile for sm_89 without a spill") {
    g4::testing::check_kernels("sm_89");
}
