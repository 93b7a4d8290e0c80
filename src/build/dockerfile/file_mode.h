#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace gantry::build {

/// What --chmod says: an octal mode, or changes as chmod(1) takes them ("u=rwX,go=rX"). Pure.
class FileMode {
 public:
  /// Error invalid.
  static FileMode parse(std::string_view text);
  /// Permission bits of a file or directory that has `mode` (without its kind).
  unsigned apply(unsigned mode, bool directory) const;
  const std::string& text() const { return text_; }

 private:
  struct Change {
    unsigned who = 0;      ///< bits of user, group, other that it may touch: 0700, 0070, 0007 and the special ones
    char operation = 0;    ///< + - =
    unsigned bits = 0;     ///< for everybody: 0111 for x
    bool execute = false;  ///< X
    char copy = 0;         ///< u, g, o: the bits of that one
  };
  static std::vector<Change> changes_of(std::string_view clause, std::string_view whole);

  std::string text_;
  bool octal_ = false;
  unsigned mode_ = 0;
  std::vector<Change> changes_;
};

}  // namespace gantry::build
