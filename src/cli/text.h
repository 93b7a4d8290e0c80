#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gantry::cli {

std::string join(const std::vector<std::string>& pieces, std::string_view separator);
/// What is before and after the first separator; the second is empty, and `found` false, when there is none.
struct Halves {
  std::string before;
  std::string after;
  bool found = false;
};
Halves cut(std::string_view text, char separator);

/// The candidate with the smallest edit distance when that is small enough to be a slip of the hand; else empty.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

/// Columns on a terminal: UTF-8 code points, escape sequences not counted.
std::size_t display_width(std::string_view text);
/// Cut to `width` columns, with an ellipsis where something was left out.
std::string ellipsize(std::string_view text, std::size_t width);

/// Printable: control characters that would move the cursor become spaces.
std::string one_line(std::string_view text);

}  // namespace gantry::cli
