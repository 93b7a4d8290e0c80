#pragma once

#include <optional>
#include <string>
#include <vector>

/// Where `cp` copies from and to, by the rules of docker cp. Pure.
namespace gantry::cli {

struct ContainerPath {
  std::string name;
  std::string path;
};
/// "NAME:PATH". nullopt: a path here, as "/x", "./x:y", "x" and "-" are.
std::optional<ContainerPath> parse_container_path(const std::string& text);

enum class Kind { none, directory, other };

struct CopyPlan {
  std::string from;              ///< without "/" and "/." at its end
  bool whole_directory = false;  ///< what is in the directory `from`, not itself
  std::string into;              ///< the directory that the archive is unpacked in
  std::string name;              ///< what the copy is called there; empty: what is in `from` goes right there
};
/// Error not_found: the directory that the target is to be in is not there or no directory; invalid: a directory onto a
/// file. A target that is not there becomes the copy; one that is a directory gets the copy into it.
CopyPlan plan_copy(const std::string& source, Kind source_kind, const std::string& target, Kind target_kind);

/// tar, packing to standard output under the wanted name; and unpacking from standard input.
std::vector<std::string> pack_command(const CopyPlan& plan, bool keep_owners, bool follow);
std::vector<std::string> unpack_command(const CopyPlan& plan, bool keep_owners);

}  // namespace gantry::cli
