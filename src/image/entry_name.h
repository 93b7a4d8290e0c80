#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gantry::image {

/// An archive entry's name as components below the root: never "", "." or "..".
struct EntryName {
  std::vector<std::string> components;  ///< empty: the root itself

  bool is_root() const { return components.empty(); }
  const std::string& base() const { return components.back(); }
  /// "a/b" of "a/b/c"; "" when the parent is the root.
  std::string parent() const;
  std::string path() const;
  /// How an Error begins that is about this entry.
  std::string shown() const;
  /// Throws Error invalid.
  [[noreturn]] void refuse(const std::string& why) const;

  /// A leading '/' is dropped. Error invalid when a component is ".." or longer than 255 bytes.
  static EntryName parse(std::string_view text);
};

}  // namespace gantry::image
