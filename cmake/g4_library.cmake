# The header-only library g4::g4 and the declared models over it, g4::models.
if(POLICY CMP0167)
  cmake_policy(SET CMP0167 NEW)  # Boost's own package file, never CMake's old finder
endif()
include(GNUInstallDirs)
find_package(Boost 1.81 REQUIRED CONFIG COMPONENTS json)
find_package(Threads REQUIRED)

add_library(g4 INTERFACE)
add_library(g4::g4 ALIAS g4)
target_compile_features(g4 INTERFACE cxx_std_20)
target_include_directories(g4 INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(g4 INTERFACE Boost::headers Boost::json Threads::Threads ${CMAKE_DL_LIBS})

# Model files are included as "models/gemma4/model.hpp": their root is a directory of its own, so
# that an installation does not put a folder named models among everybody's headers.
add_library(g4_models INTERFACE)
add_library(g4::models ALIAS g4_models)
set_target_properties(g4_models PROPERTIES EXPORT_NAME models)
target_link_libraries(g4_models INTERFACE g4)
target_include_directories(g4_models INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_DATADIR}/g4>)
