#include "deb822.h"

#include <algorithm>
#include <sstream>

#include "gantry/base/text.h"

namespace gantry::image::apt {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

std::string trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return std::string(text);
}

}  // namespace

std::vector<Stanza> parse_stanzas(std::string_view text) {
  std::vector<Stanza> out;
  Stanza stanza;
  std::string name;
  auto finish = [&] {
    if (!stanza.empty()) out.push_back(std::move(stanza));
    stanza.clear();
    name.clear();
  };
  std::istringstream in{std::string(text)};
  for (std::string line; std::getline(in, line);) {
    if (trimmed(line).empty()) {
      finish();
    } else if (line.front() == '#') {
      continue;
    } else if (is_blank(line.front())) {
      if (!name.empty()) stanza[name] += "\n" + trimmed(line);
    } else if (auto colon = line.find(':'); colon != std::string::npos) {
      name = lower(trimmed(std::string_view(line).substr(0, colon)));
      stanza[name] = trimmed(std::string_view(line).substr(colon + 1));
    }
  }
  finish();
  return out;
}

std::string field(const Stanza& stanza, const std::string& name) {
  auto found = stanza.find(name);
  return found == stanza.end() ? "" : found->second;
}

std::string folded(const std::string& value) {
  std::string out = value.starts_with('\n') ? "" : " ";
  for (char c : value) out += c == '\n' ? std::string("\n ") : std::string(1, c);
  return out;
}

}  // namespace gantry::image::apt
