# Every outside library, found once. docs/dependencies.md gives the reason for each.
set(Boost_USE_STATIC_LIBS ON)
find_package(Boost 1.81 REQUIRED COMPONENTS json url)
find_package(Threads REQUIRED)
find_package(OpenSSL 3 REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(sqlite3 REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(libfyaml REQUIRED IMPORTED_TARGET libfyaml)
find_library(libfyaml_static libfyaml.a REQUIRED)
pkg_check_modules(libarchive REQUIRED IMPORTED_TARGET libarchive)
# The client only writes a tar archive: from the static library it gets that part alone, without the XML and Unicode
# libraries that the shared one brings along, whose loading would take longer than most of its commands. Only where
# unused sections are dropped, since the rest would want those libraries, too.
find_library(libarchive_static libarchive.a REQUIRED)
add_library(gantry_libarchive_writer INTERFACE)
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_link_libraries(gantry_libarchive_writer INTERFACE ${libarchive_static})
  target_link_options(gantry_libarchive_writer INTERFACE -Wl,--gc-sections)
else()
  target_link_libraries(gantry_libarchive_writer INTERFACE PkgConfig::libarchive)
endif()
find_library(libmd_static libmd.a REQUIRED)
pkg_check_modules(libzstd REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(libisal REQUIRED IMPORTED_TARGET libisal)
pkg_check_modules(libcurl REQUIRED libcurl)
pkg_check_modules(libnl REQUIRED IMPORTED_TARGET libnl-3.0 libnl-route-3.0)
pkg_check_modules(libnftables REQUIRED IMPORTED_TARGET libnftables)
pkg_check_modules(libseccomp REQUIRED IMPORTED_TARGET libseccomp)
pkg_check_modules(libldns REQUIRED IMPORTED_TARGET ldns)

# Boost.Asio and Boost.Beast are compiled once (src/base/boost_impl.cpp), not in every file.
add_library(gantry_boost INTERFACE)
target_link_libraries(gantry_boost INTERFACE Boost::headers Boost::json Boost::url Threads::Threads)
target_compile_definitions(gantry_boost INTERFACE
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED
  BOOST_ASIO_DISABLE_BOOST_COROUTINE)
