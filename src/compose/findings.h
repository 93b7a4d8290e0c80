#pragma once

#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gantry/base/error.h"

namespace gantry::compose {

/// A compose file, and the directory that relative paths in it are resolved against.
struct Source {
  std::string file;
  std::filesystem::path base = {};
};

/// Where a value was written. Sources outlive places.
struct Place {
  const Source* source = nullptr;
  int line = 0;
  int column = 0;

  SourcePlace resolved() const { return {source != nullptr ? source->file : std::string(), line, column}; }
};

/// Collects every mistake, so that the user sees all of them at once. Ignores repetitions (a mistake inside an
/// anchor shows once, however often the anchor is used) and keeps a bounded number.
class Findings {
 public:
  void invalid(const Place& place, std::string message);
  /// Valid Compose, but not in Gantry yet.
  void unsupported(const Place& place, std::string message);
  void warn(const Place& place, std::string message);

  /// Whether an error about exactly this path was reported.
  bool has_error_at(std::string_view path) const;
  bool any() const { return !errors_.empty(); }
  /// Whether further errors are only counted.
  bool is_full() const;
  std::size_t count() const { return errors_.size() + dropped_; }
  /// Throws Error with all errors sorted by file and line; `unsupported` when nothing was invalid.
  void throw_if_any() const;
  std::vector<Finding> take_warnings() { return std::move(warnings_); }

 private:
  void add(const Place& place, std::string message);
  bool is_new(const Place& place, const std::string& message);

  std::vector<Finding> errors_;
  std::vector<Finding> warnings_;
  std::set<std::pair<std::string, std::string>> seen_;
  std::size_t dropped_ = 0;
  bool only_unsupported_ = true;
};

}  // namespace gantry::compose
