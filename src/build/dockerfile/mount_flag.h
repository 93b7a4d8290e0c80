#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// RUN --mount=... (https://docs.docker.com/reference/dockerfile/#run---mount). Private to the build module.
namespace gantry::build {

enum class MountKind { bind, cache, tmpfs, secret, ssh };
enum class Sharing { shared, private_, locked };

struct MountFlag {
  MountKind kind = MountKind::bind;
  std::string target;  ///< as written; empty where there is a default
  std::string source;
  std::string from;
  std::string id;
  std::string env;  ///< secret: the variable that gets it
  bool read_only = false;
  bool required = false;
  Sharing sharing = Sharing::shared;
  std::optional<std::uint64_t> size;  ///< bytes
  std::optional<unsigned> mode;
  std::optional<std::uint32_t> uid, gid;
};

/// The value of the flag, variables replaced. Error invalid: what is wrong with it.
MountFlag parse_mount_flag(std::string_view text);

}  // namespace gantry::build
