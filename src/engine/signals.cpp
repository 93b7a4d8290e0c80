#include "signals.h"

#include <signal.h>
#include <string.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>

#include "gantry/base/error.h"

namespace gantry::engine {
namespace {

std::optional<int> whole_number(std::string_view text) {
  int value = 0;
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<int> real_time(std::string_view name) {
  if (name == "RTMIN") return SIGRTMIN;
  if (name == "RTMAX") return SIGRTMAX;
  auto offset = name.size() > 6 ? whole_number(name.substr(6)) : std::nullopt;
  if (!offset || *offset < 0 || *offset > SIGRTMAX - SIGRTMIN) return std::nullopt;
  if (name.starts_with("RTMIN+")) return SIGRTMIN + *offset;
  if (name.starts_with("RTMAX-")) return SIGRTMAX - *offset;
  return std::nullopt;
}

std::optional<int> by_name(std::string_view name) {
  for (int number = 1; number < SIGSYS + 1; ++number)
    if (const char* known = ::sigabbrev_np(number); known != nullptr && name == known) return number;
  return real_time(name);
}

}  // namespace

int signal_number(std::string_view text) {
  std::string name(text);
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::toupper(c); });
  if (name.starts_with("SIG")) name.erase(0, 3);
  auto number = whole_number(name);
  if (!number) number = by_name(name);
  if (!number || *number < 1 || *number > SIGRTMAX)
    throw Error(ErrorKind::invalid, "unknown signal '" + std::string(text) + "'",
                "use a name as SIGTERM or its number");
  return *number;
}

std::string signal_name(int number) {
  if (const char* known = ::sigabbrev_np(number); known != nullptr) return std::string("SIG") + known;
  if (number >= SIGRTMIN && number <= SIGRTMAX)
    return number == SIGRTMIN ? "SIGRTMIN" : "SIGRTMIN+" + std::to_string(number - SIGRTMIN);
  return std::to_string(number);
}

}  // namespace gantry::engine
