# How the project's own programs are compiled: warnings, sanitizers, and the tools found here.
#
# g4_target(<target>) gives a target all of it. Nothing here is a global flag and nothing reaches
# a project that only uses g4::g4.
if(PROJECT_IS_TOP_LEVEL)
  find_program(G4_CCACHE ccache)
  if(G4_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${G4_CCACHE})
  endif()
endif()

find_program(G4_LLD ld.lld)
find_program(G4_MOLD ld.mold)
if(G4_LLD AND CMAKE_SYSTEM_NAME STREQUAL "Linux")
  set(g4_linker_option -fuse-ld=lld)
elseif(G4_MOLD AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND
       CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 12.1)
  set(g4_linker_option -fuse-ld=mold)
endif()

set(g4_warnings -Wall -Wextra -Wconversion -Werror)

function(g4_target target)
  target_compile_features(${target} PRIVATE cxx_std_20)
  set_target_properties(${target} PROPERTIES
    CXX_EXTENSIONS OFF
    RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
  target_compile_options(${target} PRIVATE ${g4_warnings})
  if(CMAKE_BUILD_TYPE STREQUAL "Debug" AND G4_SANITIZE)
    # Line numbers are enough for a report; full debug information doubles the build's memory.
    target_compile_options(${target} PRIVATE -O1 -g1)
  endif()
  if(G4_SANITIZE)
    target_compile_options(${target} PRIVATE
      -fsanitize=${G4_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      # GCC sees uninitialised values in the standard library when a sanitizer rewrites it.
      target_compile_options(${target} PRIVATE -Wno-maybe-uninitialized)
    endif()
    target_link_options(${target} PRIVATE -fsanitize=${G4_SANITIZE})
    if(G4_SANITIZE MATCHES "thread" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      # GCC warns of the fences in Boost.Asio, which order what locks order as well.
      target_compile_options(${target} PRIVATE -Wno-tsan)
    endif()
  endif()
  if(g4_linker_option)
    target_link_options(${target} PRIVATE ${g4_linker_option})
  endif()
endfunction()

# The options that find the headers, for tests that call the compiler themselves.
get_target_property(g4_boost_directories Boost::headers INTERFACE_INCLUDE_DIRECTORIES)
list(REMOVE_ITEM g4_boost_directories ${CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES})
set(g4_include_options -I${PROJECT_SOURCE_DIR}/include -I${PROJECT_SOURCE_DIR})
foreach(directory ${g4_boost_directories})
  list(APPEND g4_include_options -isystem ${directory})
endforeach()
