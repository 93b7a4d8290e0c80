#pragma once

#include <map>
#include <string>
#include <string_view>

#include "gantry/base/error.h"

namespace gantry::cli {

/// Standard output was closed by whoever read it: the program ends quietly.
struct OutputClosed {};

enum class Colour { none, red, green, yellow, blue, magenta, cyan, bold, dim };

/// Standard output and error. Colours only on a terminal and without NO_COLOR.
class Console {
 public:
  explicit Console(const std::map<std::string, std::string>& environment);

  /// Throws OutputClosed when nobody reads any more.
  void out(std::string_view text) const;
  void err(std::string_view text) const;
  std::string paint(Colour colour, std::string_view text) const;
  bool colours() const { return colours_; }

 private:
  bool colours_;
};

/// Writes all of it, blocking. Throws OutputClosed on EPIPE.
void write_stream(int fd, std::string_view text);

std::string painted(Colour colour, std::string_view text);
/// "gantry: message", every finding as "file:line:column: message", "fix: ...": what the user sees of an Error.
std::string describe(const Error& error);
std::string describe(const Finding& finding);

}  // namespace gantry::cli
