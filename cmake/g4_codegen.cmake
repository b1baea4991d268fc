# g4::codegen: the device code of codegen/ as text in a library, for programs that compile kernels
# at run time. What embedded_headers() of g4/jit/headers.hpp returns.
file(GLOB_RECURSE g4_codegen_files CONFIGURE_DEPENDS
  ${PROJECT_SOURCE_DIR}/codegen/*.cuh ${PROJECT_SOURCE_DIR}/codegen/*.hpp)
set(g4_codegen_source ${PROJECT_BINARY_DIR}/generated/codegen.cpp)
add_custom_command(OUTPUT ${g4_codegen_source}
  COMMAND ${CMAKE_COMMAND} -DROOT=${PROJECT_SOURCE_DIR} -DOUTPUT=${g4_codegen_source}
    -P ${CMAKE_CURRENT_LIST_DIR}/embed_codegen.cmake
  DEPENDS ${g4_codegen_files} ${CMAKE_CURRENT_LIST_DIR}/embed_codegen.cmake
  COMMENT "Embedding codegen/"
  VERBATIM)
add_library(g4_codegen STATIC EXCLUDE_FROM_ALL ${g4_codegen_source})
add_library(g4::codegen ALIAS g4_codegen)
g4_target(g4_codegen)
target_link_libraries(g4_codegen PUBLIC g4)
