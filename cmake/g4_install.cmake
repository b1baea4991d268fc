# What an installation holds, and the package file behind find_package(g4).
include(CMakePackageConfigHelpers)

set(g4_package_directory ${CMAKE_INSTALL_LIBDIR}/cmake/g4)

install(TARGETS g4 g4_models EXPORT g4_targets COMPONENT library)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/g4 DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  COMPONENT library FILES_MATCHING PATTERN "*.hpp" PATTERN "*.inc")
install(DIRECTORY ${PROJECT_SOURCE_DIR}/models DESTINATION ${CMAKE_INSTALL_DATADIR}/g4
  COMPONENT library FILES_MATCHING PATTERN "*.hpp" PATTERN "nano" EXCLUDE)
# Device code: read from here by read_headers() where it is not compiled in, and its config.hpp by
# the headers of the CUDA back end.
install(DIRECTORY ${PROJECT_SOURCE_DIR}/codegen DESTINATION ${CMAKE_INSTALL_DATADIR}/g4
  COMPONENT library FILES_MATCHING PATTERN "*.hpp" PATTERN "*.cuh")
install(EXPORT g4_targets NAMESPACE g4:: DESTINATION ${g4_package_directory} COMPONENT library)

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/g4Config.cmake.in
  ${PROJECT_BINARY_DIR}/package/g4Config.cmake INSTALL_DESTINATION ${g4_package_directory})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/package/g4ConfigVersion.cmake
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES
  ${PROJECT_BINARY_DIR}/package/g4Config.cmake
  ${PROJECT_BINARY_DIR}/package/g4ConfigVersion.cmake
  DESTINATION ${g4_package_directory} COMPONENT library)
