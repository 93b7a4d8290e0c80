#pragma once

#include <optional>
#include <string>
#include <string_view>

/// Git repositories as ADD and build contexts name them. Pure.
namespace gantry::build {

struct GitSource {
  std::string url;        ///< without its fragment
  std::string reference;  ///< branch, tag or commit; empty: what the repository calls HEAD
  std::string directory;  ///< in the repository, clean and relative; empty: its root
};

/// "https://host/path.git#ref:directory", "git://...", "ssh://...", "git@host:path.git". nullopt: no such address.
/// Error invalid: a reference or directory that cannot be one.
std::optional<GitSource> parse_git_source(std::string_view text);

}  // namespace gantry::build
