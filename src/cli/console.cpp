#include "console.h"

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "gantry/base/fd.h"
#include "terminal.h"

namespace gantry::cli {
namespace {

constexpr std::array<std::string_view, 9> kCodes{"0", "31", "32", "33", "34", "35", "36", "1", "2"};

bool wants_colours(const std::map<std::string, std::string>& environment) {
  auto no_color = environment.find("NO_COLOR");
  if (no_color != environment.end() && !no_color->second.empty()) return false;
  auto term = environment.find("TERM");
  return is_terminal(STDOUT_FILENO) && term != environment.end() && term->second != "dumb";
}

}  // namespace

Console::Console(const std::map<std::string, std::string>& environment) : colours_(wants_colours(environment)) {}

void write_stream(int fd, std::string_view text) {
  while (!text.empty()) {
    auto written = ::write(fd, text.data(), text.size());
    if (written >= 0) {
      text.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno == EPIPE || errno == EIO) {
      throw OutputClosed{};
    } else if (errno == EAGAIN) {
      // The terminal was left in non-blocking mode by another program.
      pollfd waiting{fd, POLLOUT, 0};
      ::poll(&waiting, 1, -1);
    } else if (errno != EINTR) {
      throw_errno(fd == STDOUT_FILENO ? "writing to standard output" : "writing to standard error");
    }
  }
}

void Console::out(std::string_view text) const { write_stream(STDOUT_FILENO, text); }
void Console::err(std::string_view text) const { write_stream(STDERR_FILENO, text); }

std::string painted(Colour colour, std::string_view text) {
  return fmt::format("\x1b[{}m{}\x1b[0m", kCodes[static_cast<std::size_t>(colour)], text);
}

std::string Console::paint(Colour colour, std::string_view text) const {
  return colours_ && colour != Colour::none ? painted(colour, text) : std::string(text);
}

std::string describe(const Finding& finding) {
  std::string place;
  if (!finding.place.file.empty()) {
    place = finding.place.file;
    if (finding.place.line > 0) place += fmt::format(":{}", finding.place.line);
    if (finding.place.line > 0 && finding.place.column > 0) place += fmt::format(":{}", finding.place.column);
    place += ": ";
  }
  return place + finding.message + "\n";
}

std::string describe(const Error& error) {
  std::string text = "gantry: " + error.message() + "\n";
  for (const auto& finding : error.findings()) text += describe(finding);
  if (!error.fix().empty()) text += "fix: " + error.fix() + "\n";
  return text;
}

}  // namespace gantry::cli
