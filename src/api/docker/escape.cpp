#include "escape.h"

#include <algorithm>

#include "gantry/base/error.h"

namespace gantry::api::docker {
namespace {

char parse_key(const std::string& key) {
  if (key.size() == 1) return key[0];
  constexpr std::string_view kOthers = "@[\\]^_";
  if (key.size() == 6 && key.starts_with("ctrl-")) {
    char c = key[5];
    if (c >= 'a' && c <= 'z') return static_cast<char>(c - 'a' + 1);
    if (c == '@') return '\0';
    if (auto at = kOthers.find(c); at != std::string_view::npos) return static_cast<char>(26 + at);
  }
  throw Error(
      ErrorKind::invalid, "invalid detach keys: unknown key '" + key + "'",
      "use letters, ctrl-a to ctrl-z, ctrl-@, ctrl-[, ctrl-\\, ctrl-], ctrl-^ and ctrl-_ with commas between them");
}

}  // namespace

DetachKeys::DetachKeys(const std::string& keys) {
  std::string_view rest = keys.empty() ? std::string_view("ctrl-p,ctrl-q") : std::string_view(keys);
  while (true) {
    auto comma = std::min(rest.find(','), rest.size());
    sequence_ += parse_key(std::string(rest.substr(0, comma)));
    if (comma == rest.size()) break;
    rest.remove_prefix(comma + 1);
  }
}

std::optional<std::string> DetachKeys::pass(std::string_view typed) {
  std::string out;
  for (char c : typed) {
    held_ += c;
    if (held_ == sequence_) return std::nullopt;
    // The longest end of what is held that may still become the sequence.
    while (!held_.empty() && !std::string_view(sequence_).starts_with(held_)) {
      out += held_.front();
      held_.erase(0, 1);
    }
  }
  return out;
}

}  // namespace gantry::api::docker
