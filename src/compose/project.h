#pragma once

#include <deque>

#include "gantry/compose/compose.h"
#include "interpolate.h"

namespace gantry::compose {

/// What is known before any compose file has been parsed.
struct Project {
  std::vector<std::filesystem::path> files;  ///< absolute, in merge order
  std::filesystem::path directory;           ///< absolute
  Environment variables;                     ///< `.env` files under the client's environment
};

/// Finds the files and reads the variables. Throws Error (not_found) when there is no compose file or a named file is
/// missing; mistakes in environment files go to `findings`.
Project find_project(const LoadOptions& options, std::deque<Source>& sources, Findings& findings);

/// `path` as people see it: relative when it is below the directory they stand in.
std::string shown_path(const std::filesystem::path& path, const LoadOptions& options);

/// The stack's name from options and variables alone. Throws Error (invalid) when that name is not valid.
std::optional<std::string> configured_name(const LoadOptions& options, const Project& project);
/// The name that a directory gives. Throws Error (invalid) when nothing usable is left of it.
std::string name_of_directory(const std::filesystem::path& directory);

}  // namespace gantry::compose
