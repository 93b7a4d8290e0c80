#pragma once

#include <cstddef>
#include <cstdint>

/// What the daemon asks for, read once from the file `plan` in the working directory: NUL-ended words, each keyword
/// followed by its fixed number of values (the table in plan.cpp). The strings live in a static buffer.
namespace gantry::shim {

inline constexpr std::size_t kMaxLayers = 500;
inline constexpr std::size_t kMaxBinds = 256;
inline constexpr std::size_t kMaxCgroups = 32;
inline constexpr std::size_t kMaxLimits = 16;

struct Bind {
  const char* source;
  bool id_mapped;
  bool recursive;
  bool read_only;
};

struct RlimitWish {
  int resource;
  std::uint64_t soft;
  std::uint64_t hard;
};

struct Plan {
  bool exec = false;
  bool tty = false;
  bool open_stdin = false;
  const char* crun = "";
  const char* crun_root = "";
  const char* id = "";
  const char* state_dir = "";
  std::uint64_t log_max_size = 0;
  int log_max_files = 1;
  std::uint32_t owner_uid = 0;  ///< of the standard streams, on the host
  std::uint32_t owner_gid = 0;
  bool mapped = false;
  std::uint32_t map_host = 0;
  std::uint32_t map_size = 0;
  const char* upper = "";
  const char* work = "";
  const char* layers[kMaxLayers] = {};
  std::size_t layer_count = 0;
  Bind binds[kMaxBinds] = {};
  std::size_t bind_count = 0;
  const char* cgroups[kMaxCgroups] = {};
  std::size_t cgroup_count = 0;
  RlimitWish limits[kMaxLimits] = {};
  std::size_t limit_count = 0;
};

extern Plan plan;

/// Fails the shim when the file is malformed.
void read_plan();

}  // namespace gantry::shim
