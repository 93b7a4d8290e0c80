#include "project.h"

#include <fmt/format.h>

#include <array>

#include "check.h"
#include "env_file.h"
#include "gantry/base/files.h"
#include "gantry/base/text.h"
#include "text.h"

namespace gantry::compose {

namespace fs = std::filesystem;

namespace {

constexpr std::array kDefaultNames{"compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"};
constexpr std::array kOverrideNames{"compose.override.yaml", "compose.override.yml", "docker-compose.override.yaml",
                                    "docker-compose.override.yml"};
constexpr std::size_t kMaximumBytes = 16u << 20;

class Finder {
 public:
  Finder(const LoadOptions& options, std::deque<Source>& sources, Findings& findings)
      : options_(options), sources_(sources), findings_(findings) {}

  Project run() {
    if (auto named = named_files(); !named.empty()) {
      project_.files = std::move(named);
      project_.directory = directory_or(project_.files.front().parent_path());
      read_variables(project_.directory);
    } else {
      read_variables(directory_or(options_.current_directory));
      find_files();
    }
    for (const auto& file : project_.files) require(file);
    return std::move(project_);
  }

 private:
  fs::path absolute(const fs::path& path) const { return (options_.current_directory / path).lexically_normal(); }

  fs::path directory_or(const fs::path& otherwise) const {
    auto path = options_.project_directory.empty() ? otherwise : absolute(options_.project_directory);
    return path.has_filename() || path == path.root_path() ? path : path.parent_path();
  }

  std::string variable(const std::string& name) const {
    if (auto own = options_.env.find(name); own != options_.env.end()) return own->second;
    auto found = project_.variables.find(name);
    return found != project_.variables.end() ? found->second : std::string();
  }

  std::vector<fs::path> named_files() const {
    std::vector<fs::path> files;
    for (const auto& file : options_.files) files.push_back(absolute(file));
    if (!files.empty()) return files;
    auto list = variable("COMPOSE_FILE");
    auto separator = variable("COMPOSE_PATH_SEPARATOR");
    if (list.empty()) return files;
    for (const auto& file : split(list, separator.size() == 1 ? separator[0] : ':')) {
      if (!file.empty()) files.push_back(absolute(file));
    }
    return files;
  }

  void find_files() {
    // `.env` may name the files.
    if (auto named = named_files(); !named.empty()) {
      project_.files = std::move(named);
      project_.directory = directory_or(project_.files.front().parent_path());
      return;
    }
    auto start = directory_or(options_.current_directory);
    auto found = search_upwards(start);
    project_.directory = directory_or(found);
    if (project_.directory != start) read_variables(project_.directory);
  }

  bool exists(const fs::path& path) const { return options_.read_file(path).has_value(); }

  bool take_defaults(const fs::path& directory) {
    for (const auto* name : kDefaultNames) {
      if (!exists(directory / name)) continue;
      project_.files.push_back(directory / name);
      for (const auto* override_name : kOverrideNames) {
        if (!exists(directory / override_name)) continue;
        project_.files.push_back(directory / override_name);
        break;
      }
      return true;
    }
    return false;
  }

  fs::path search_upwards(const fs::path& start) {
    for (auto directory = start;; directory = directory.parent_path()) {
      if (take_defaults(directory)) return directory;
      if (directory == directory.parent_path() || !options_.project_directory.empty()) break;
    }
    throw Error(ErrorKind::not_found, fmt::format("no compose file in {} or a directory above it", start.string()),
                fmt::format("create one, go to its directory, or name it with -f; looked for: {}",
                            fmt::join(kDefaultNames, ", ")));
  }

  void read_variables(const fs::path& directory) {
    project_.variables.clear();
    auto named = options_.env_files;
    if (auto list = options_.env.find("COMPOSE_ENV_FILES"); named.empty() && list != options_.env.end()) {
      for (const auto& file : split(list->second, ',')) {
        if (!file.empty()) named.emplace_back(file);
      }
    }
    if (named.empty()) {
      if (auto text = options_.read_file(directory / ".env")) add_variables(directory / ".env", *text);
    }
    for (const auto& file : named) add_variables(absolute(file), require(absolute(file)));
    for (const auto& [name, value] : options_.env) project_.variables.insert_or_assign(name, value);
  }

  void add_variables(const fs::path& file, const std::string& text) {
    auto& source = sources_.emplace_back(Source{shown_path(file, options_), file.parent_path()});
    Lookup lookup = [this](const std::string& name) -> std::optional<std::string> {
      if (auto own = options_.env.find(name); own != options_.env.end()) return own->second;
      auto found = project_.variables.find(name);
      return found != project_.variables.end() ? std::optional(found->second) : std::nullopt;
    };
    for (auto& [name, value] : parse_env_file(text, source, lookup, EnvFormat::compose, findings_)) {
      if (value) project_.variables.insert_or_assign(name, std::move(*value));
    }
  }

  std::string require(const fs::path& file) const {
    auto text = options_.read_file(file);
    if (!text) throw Error(ErrorKind::not_found, fmt::format("there is no file {}", shown_path(file, options_)));
    return std::move(*text);
  }

  const LoadOptions& options_;
  std::deque<Source>& sources_;
  Findings& findings_;
  Project project_;
};

}  // namespace

std::optional<std::string> read_from_disk(const fs::path& path) { return read_file_if_exists(path, kMaximumBytes); }

Project find_project(const LoadOptions& options, std::deque<Source>& sources, Findings& findings) {
  if (!options.current_directory.is_absolute())
    throw Error(ErrorKind::internal, "LoadOptions::current_directory is not an absolute path");
  return Finder(options, sources, findings).run();
}

std::string shown_path(const fs::path& path, const LoadOptions& options) {
  auto relative = path.lexically_relative(options.current_directory);
  return relative.empty() || *relative.begin() == ".." ? path.string() : relative.string();
}

std::optional<std::string> configured_name(const LoadOptions& options, const Project& project) {
  auto name = options.name;
  auto variable = project.variables.find("COMPOSE_PROJECT_NAME");
  if (!name && variable != project.variables.end() && !variable->second.empty()) name = variable->second;
  if (name && !is_valid_stack_name(*name))
    throw Error(ErrorKind::invalid, fmt::format("'{}' is not a stack's name", *name),
                "use lower-case letters, digits, '-' and '_', beginning with a letter or digit, 63 at most");
  return name;
}

std::string name_of_directory(const fs::path& directory) {
  std::string name;
  for (char c : lower(directory.filename().string())) {
    bool usable = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (!name.empty() && (c == '-' || c == '_'));
    if (usable && name.size() < 63) name += c;
  }
  if (name.empty())
    throw Error(ErrorKind::invalid, fmt::format("the directory {} gives no name for the stack", directory.string()),
                "set 'name' in the compose file, or give one with -p");
  return name;
}

}  // namespace gantry::compose
