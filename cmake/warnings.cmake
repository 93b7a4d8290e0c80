# One interface target carries the warnings and sanitizers, so that they are the same everywhere.
add_library(gantry_options INTERFACE)
target_compile_options(gantry_options INTERFACE
  -Wall -Wextra -Werror -Wpedantic -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual -Wnull-dereference
  -Wno-null-dereference # g++ 12 reports it inside inlined standard library code at -O2
  -Wno-missing-field-initializers # designated initialisers name what differs from the default
  -fstack-protector-strong -fno-omit-frame-pointer)
if(GANTRY_UNITY)
  # g++ takes every file but the one it was given for a header, and warns of unnamed namespaces in headers.
  target_compile_options(gantry_options INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-subobject-linkage>)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release")
  target_compile_definitions(gantry_options INTERFACE _FORTIFY_SOURCE=2)
  # g++ 12 reports these inside coroutine frames and std::string; the dev build keeps them.
  target_compile_options(gantry_options INTERFACE
    -Wno-maybe-uninitialized -Wno-restrict -Wno-stringop-overflow -Wno-stringop-overread -Wno-array-bounds
    -Wno-dangling-pointer -Wno-mismatched-new-delete)
endif()
if(GANTRY_SANITIZE)
  target_compile_options(gantry_options INTERFACE -fsanitize=${GANTRY_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(gantry_options INTERFACE -fsanitize=${GANTRY_SANITIZE})
  # sanitizers disturb the flow analysis behind these warnings
  target_compile_options(gantry_options INTERFACE
    -Wno-maybe-uninitialized -Wno-restrict -Wno-stringop-overflow -Wno-array-bounds -Wno-mismatched-new-delete
    -Wno-stringop-overread -Wno-tsan)
endif()
target_link_options(gantry_options INTERFACE -Wl,-z,relro,-z,now -Wl,--as-needed)
find_program(GANTRY_MOLD mold)
if(GANTRY_MOLD)
  target_link_options(gantry_options INTERFACE -fuse-ld=mold)
endif()
