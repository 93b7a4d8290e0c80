#pragma once

#include <boost/json.hpp>

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gantry/base/error.h"
#include "gantry/compose/model.h"

/// Compose files to a resolved, checked, canonical Stack.
///
/// The client calls `load` where the files, the environment and the build contexts are; the Stack travels as JSON;
/// the daemon calls `stack_from_json`, which trusts nothing. The module is pure: no clock, no network, no globals,
/// and files only through LoadOptions::read_file.
///
/// Sources: the Compose specification (compose-spec.io), YAML 1.2 with the merge key of YAML 1.1.
namespace gantry::compose {

/// Gives a file's text, nullopt when there is none; throws Error for every other failure.
using ReadFile = std::function<std::optional<std::string>(const std::filesystem::path&)>;

/// Reads from disk, 16 MiB at most.
std::optional<std::string> read_from_disk(const std::filesystem::path& path);

struct LoadOptions {
  /// Compose files in merge order (-f). Empty: COMPOSE_FILE, else the first of compose.yaml, compose.yml,
  /// docker-compose.yaml, docker-compose.yml in the current directory or its parents, with its override file.
  std::vector<std::filesystem::path> files;
  /// Where the caller stands; absolute. Relative `files` and `env_files` are resolved against it.
  std::filesystem::path current_directory = {};
  /// What relative paths inside the files are resolved against. Empty: the directory of the first file.
  std::filesystem::path project_directory = {};
  /// Stack name (-p). Unset: COMPOSE_PROJECT_NAME, the files' `name`, the project directory's name.
  std::optional<std::string> name = {};
  /// The client's environment.
  std::map<std::string, std::string> env = {};
  /// Active profiles (--profile), together with COMPOSE_PROFILES. "*" activates all.
  std::vector<std::string> profiles = {};
  /// Services named on the command line: enabled whatever their profiles.
  std::vector<std::string> services = {};
  /// Files of variables for interpolation (--env-file). Empty: `.env` in the project directory, if there is one.
  std::vector<std::filesystem::path> env_files = {};
  ReadFile read_file = read_from_disk;
};

struct Loaded {
  Stack stack;
  std::vector<Finding> warnings;             ///< to be shown to the user; nothing is printed here
  std::vector<std::filesystem::path> files;  ///< the compose files that were read, absolute, in merge order
};

/// Reads, merges, interpolates, checks. Throws Error: not_found when there is no compose file; invalid with every
/// mistake found, each with its place, when the files are wrong; unsupported when all that is wrong is that Gantry
/// does not support a key or value yet.
Loaded load(const LoadOptions& options);

/// Only the stack's name, by the same rules, for commands that need no more of the file (`down`, `ps`, `logs`).
/// Does not fail for mistakes elsewhere in the files.
std::string load_name(const LoadOptions& options);

/// The border of the daemon: refuses unknown keys, wrong types and everything `validate` refuses.
Stack stack_from_json(const boost::json::value& value);
boost::json::value to_json(const Stack& stack);
/// The resolved stack as a canonical compose file (`gantry config`): JSON with sorted keys and fixed order, so that
/// equal stacks have equal text.
std::string canonical_text(const Stack& stack);

/// Throws Error (invalid) with every broken rule: names, references, dependency cycles, ports, mounts, limits.
/// A Stack that came from `load` always passes.
void validate(const Stack& stack);

/// Lower-case SHA-like hex digest (64 digits) of everything whose change needs the service's containers recreated.
/// Leaves out build, pull_policy, replicas, depends_on, profiles and attach. Stable across processes and versions.
std::string config_hash(const Service& service);
std::string config_hash(const Network& network);
std::string config_hash(const Volume& volume);

/// Services by level: each level needs only services of the levels before it. Stopping goes the other way.
/// Throws Error (invalid) naming the cycle.
std::vector<std::vector<std::string>> start_levels(const Stack& stack);

/// The stack reduced to `services` and, when asked, everything they depend on. Unused networks and volumes stay out.
/// Throws Error (not_found) for a name that is no service, with the nearest one.
Stack select(const Stack& stack, const std::vector<std::string>& services, bool with_dependencies = true);

/// The name of a replica's container, counting from 1: container_name, or "<stack>-<service>-<index>".
std::string container_name(const Stack& stack, const Service& service, std::uint32_t index);

}  // namespace gantry::compose
