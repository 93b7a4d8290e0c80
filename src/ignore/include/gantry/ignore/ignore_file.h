#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "gantry/ignore/pattern.h"

/// The ignore module owns the question "is this file part of the build context": .dockerignore as Docker reads it
/// (https://docs.docker.com/build/concepts/context/#dockerignore-files). Pure but for load() and walk_context().
namespace gantry::ignore {

class IgnoreFile {
 public:
  /// No rule: nothing is excluded.
  IgnoreFile() = default;
  /// Error invalid with a finding (file, line, column) for every bad pattern.
  static IgnoreFile parse(std::string_view text, const std::string& file_name = ".dockerignore");
  /// "<dockerfile>.dockerignore" beside the Dockerfile when it exists, else ".dockerignore" in the context's root,
  /// else no rule. `dockerfile` is relative to the context.
  static IgnoreFile load(const std::filesystem::path& context, const std::string& dockerfile);

  /// `path` is relative to the context's root, separated by '/'. The last rule that matches the path or one of its
  /// parents decides.
  bool excludes(std::string_view path) const;
  /// Whether an exception ("!...") may bring back something below this excluded directory.
  bool may_include_below(std::string_view directory) const;

 private:
  struct Rule {
    Pattern pattern;
    bool exception = false;
    std::vector<Pattern> prefixes;  ///< of an exception: its first 1, 2, ... segments, up to the first "**"
    bool any_depth = false;         ///< of an exception: contains "**"
  };
  static Rule make_rule(std::string_view line);
  std::vector<Rule> rules_;
};

struct ContextEntry {
  std::string path;  ///< relative to the context's root, separated by '/'
  struct ::stat status;
};

/// Calls `visit` for everything under `root` that the rules do not exclude, parents before children, names in byte
/// order. Links are not followed. A directory that is excluded but holds something included is visited too.
void walk_context(const std::filesystem::path& root, const IgnoreFile& rules,
                  const std::function<void(const ContextEntry&)>& visit);

}  // namespace gantry::ignore
