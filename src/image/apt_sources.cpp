#include "apt_sources.h"

#include <algorithm>
#include <array>
#include <set>
#include <sstream>

#include "deb822.h"
#include "gantry/base/files.h"

namespace gantry::image::apt {
namespace fs = std::filesystem;
namespace {

constexpr std::array<std::string_view, 3> kRoles{"", "-updates", "-security"};
constexpr std::array<std::string_view, 10> kDebianSuites{"buster",       "bullseye",  "bookworm", "trixie",  "forky",
                                                         "oldoldstable", "oldstable", "stable",   "testing", "sid"};

std::vector<std::string> words(std::string_view text) {
  std::istringstream in{std::string(text)};
  std::vector<std::string> out;
  for (std::string word; in >> word;) out.push_back(word);
  return out;
}

std::string option(const std::vector<std::string>& options, const std::string& name) {
  for (const auto& one : options)
    if (one.starts_with(name + "=")) return one.substr(name.size() + 1);
  return "";
}

bool is_flat(const std::string& suite) { return suite.empty() || suite.back() == '/'; }

bool is_no(const std::string& value) { return value == "no" || value == "false" || value == "0" || value == "off"; }

void take_line(std::string line, std::vector<Source>& out) {
  line = line.substr(0, line.find('#'));
  std::vector<std::string> options;
  if (auto open = line.find('['), close = line.find(']');
      open != std::string::npos && close > open && close != std::string::npos) {
    options = words(std::string_view(line).substr(open + 1, close - open - 1));
    line.erase(open, close - open + 1);
  }
  auto parts = words(line);
  if (parts.size() < 4 || parts[0] != "deb" || is_flat(parts[2])) return;
  out.push_back({parts[1], parts[2], {parts.begin() + 3, parts.end()}, option(options, "signed-by")});
}

void take_stanza(const Stanza& stanza, std::vector<Source>& out) {
  auto types = words(field(stanza, "types"));
  if (std::find(types.begin(), types.end(), "deb") == types.end() || is_no(field(stanza, "enabled"))) return;
  for (const auto& uri : words(field(stanza, "uris")))
    for (const auto& suite : words(field(stanza, "suites")))
      if (!is_flat(suite)) out.push_back({uri, suite, words(field(stanza, "components")), field(stanza, "signed-by")});
}

// Which part of a release `name` is: "", "-updates" or "-security" when it belongs to `suite`.
bool belongs(const std::string& name, const std::string& suite) {
  return std::any_of(kRoles.begin(), kRoles.end(), [&](auto role) { return name == suite + std::string(role); });
}

}  // namespace

std::vector<Source> parse_list(std::string_view text) {
  std::istringstream in{std::string(text)};
  std::vector<Source> out;
  for (std::string line; std::getline(in, line);) take_line(line, out);
  return out;
}

std::vector<Source> parse_deb822(std::string_view text) {
  std::vector<Source> out;
  for (const auto& stanza : parse_stanzas(text)) take_stanza(stanza, out);
  return out;
}

std::vector<Source> read_sources(const fs::path& etc_apt) {
  std::vector<Source> out;
  auto append = [&](std::vector<Source> more) { out.insert(out.end(), more.begin(), more.end()); };
  append(parse_list(read_file_if_exists(etc_apt / "sources.list").value_or("")));
  std::set<fs::path> files;
  if (fs::is_directory(etc_apt / "sources.list.d"))
    for (const auto& entry : fs::directory_iterator(etc_apt / "sources.list.d")) files.insert(entry.path());
  for (const auto& file : files) {
    if (file.extension() == ".list") append(parse_list(read_file(file)));
    if (file.extension() == ".sources") append(parse_deb822(read_file(file)));
  }
  return out;
}

std::vector<Source> choose(const std::vector<Source>& sources, const std::string& suite) {
  std::vector<Source> out;
  for (const auto& source : sources)
    if (belongs(source.suite, suite)) out.push_back(source);
  bool has_main = std::any_of(out.begin(), out.end(), [&](const auto& source) { return source.suite == suite; });
  if (has_main) return out;
  out.clear();
  for (auto other : kDebianSuites) {
    for (const auto& source : sources) {
      if (!belongs(source.suite, std::string(other))) continue;
      Source derived = source;
      derived.suite = suite + source.suite.substr(other.size());
      derived.components = {"main"};
      if (std::find(out.begin(), out.end(), derived) == out.end()) out.push_back(std::move(derived));
    }
  }
  return out;
}

std::string to_deb822(const std::vector<Source>& sources) {
  std::string out;
  for (const auto& source : sources) {
    out += (out.empty() ? "" : "\n") + std::string("Types: deb\nURIs: ") + source.uri + "\nSuites: " + source.suite +
           "\nComponents:";
    for (const auto& component : source.components) out += " " + component;
    out += "\n";
    if (!source.signed_by.empty()) out += "Signed-By:" + folded(source.signed_by) + "\n";
  }
  return out;
}

std::vector<std::string> needed_options(std::string_view dump) {
  constexpr std::array<std::string_view, 8> kNeeded{
      "Acquire::Check-Valid-Until ", "Acquire::Check-Date ",   "Acquire::Max-ValidTime", "Acquire::Min-ValidTime",
      "Acquire::http::Proxy ",       "Acquire::https::Proxy ", "Acquire::http::Proxy::", "Acquire::https::Proxy::"};
  std::istringstream in{std::string(dump)};
  std::vector<std::string> out;
  for (std::string line; std::getline(in, line);) {
    bool needed = std::any_of(kNeeded.begin(), kNeeded.end(), [&](auto key) { return line.starts_with(key); });
    if (needed && !line.ends_with("\"\";")) out.push_back(line);
  }
  return out;
}

std::map<std::string, std::string> parse_release(std::string_view text) {
  std::map<std::string, std::string> out;
  std::istringstream in{std::string(text)};
  for (std::string line; std::getline(in, line);) {
    auto colon = line.find(": ");
    if (line.empty() || line.front() == ' ' || colon == std::string::npos) continue;
    out.emplace(line.substr(0, colon), line.substr(colon + 2));
  }
  return out;
}

std::string installed_packages(std::string_view status) {
  std::set<std::string> lines;
  for (const auto& stanza : parse_stanzas(status))
    if (field(stanza, "status").ends_with(" installed"))
      lines.insert(field(stanza, "package") + "=" + field(stanza, "version"));
  std::string out;
  for (const auto& line : lines) out += line + "\n";
  return out;
}

}  // namespace gantry::image::apt
