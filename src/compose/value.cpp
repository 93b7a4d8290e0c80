#include "value.h"

#include <algorithm>
#include <charconv>
#include <cmath>

namespace gantry::compose {

namespace {

/// Quoted in messages, but never the whole of a long text.
std::string shown(std::string_view text) {
  return text.size() > 80 ? fmt::format("'{}...'", text.substr(0, 80)) : fmt::format("'{}'", text);
}

template <class T>
bool parse_whole(std::string_view text, T& out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

Value::Value(const Node& node, std::string path, Reader& reader, const Place& key_place)
    : node_(node),
      path_(std::move(path)),
      reader_(reader),
      key_place_(key_place),
      place_(node.place.line == key_place.line || node.is_scalar() ? node.place : key_place) {}

Value Value::at(const Entry& entry) const {
  return {entry.value, path_.empty() ? entry.key : path_ + "." + entry.key, reader_, entry.place};
}

Value Value::at(std::size_t index) const { return {node_.items[index], fmt::format("{}[{}]", path_, index), reader_}; }

std::optional<Value> Value::find(std::string_view key) const {
  for (const auto& entry : node_.entries) {
    if (entry.key == key && !entry.value.is_null()) return at(entry);
  }
  return std::nullopt;
}

void Value::invalid(std::string_view message) const {
  reader_.findings.invalid(place_, fmt::format("{}: {}", path_, message));
}

void Value::unsupported(std::string_view message) const {
  reader_.findings.unsupported(place_, fmt::format("{}: {}", path_, message));
}

void Value::warn(std::string_view message) const {
  reader_.findings.warn(place_, fmt::format("{}: {}", path_, message));
}

void Value::wrong_type(std::string_view expected) const {
  auto got = node_.is_scalar() && !node_.is_null() ? shown(node_.text) : std::string(kind_name(node_));
  invalid(fmt::format("expected {}, this is {}", expected, got));
}

std::optional<std::string> Value::string() const {
  if (node_.is_scalar() && !node_.is_null()) return node_.text;
  wrong_type("a string");
  return std::nullopt;
}

bool Value::read(std::string& out) const {
  auto text = string();
  if (text) out = std::move(*text);
  return text.has_value();
}

bool Value::read(bool& out) const {
  static const std::map<std::string_view, bool> kWords{{"true", true},   {"yes", true}, {"on", true},   {"y", true},
                                                       {"false", false}, {"no", false}, {"off", false}, {"n", false}};
  auto found = node_.is_scalar() ? kWords.find(lower(node_.text)) : kWords.end();
  if (found == kWords.end()) {
    wrong_type("true or false");
    return false;
  }
  out = found->second;
  return true;
}

template <class T>
bool Value::read_integer(T& out) const {
  if (node_.is_scalar() && parse_whole(node_.text, out)) return true;
  wrong_type(std::is_signed_v<T> ? "a whole number" : "a whole number that is not negative");
  return false;
}

bool Value::read(std::int32_t& out) const { return read_integer(out); }
bool Value::read(std::uint32_t& out) const { return read_integer(out); }
bool Value::read(std::uint64_t& out) const { return read_integer(out); }

bool Value::read(double& out) const {
  double number = 0;
  if (node_.is_scalar() && parse_whole(node_.text, number) && std::isfinite(number)) {
    out = number;
    return true;
  }
  wrong_type("a number");
  return false;
}

bool Value::read(Duration& out) const {
  auto duration = node_.is_scalar() ? parse_duration(node_.text) : std::nullopt;
  if (!duration) {
    wrong_type("a duration such as '1m30s'");
    return false;
  }
  out = *duration;
  return true;
}

bool Value::read_bytes(std::uint64_t& out) const {
  auto bytes = node_.is_scalar() ? parse_bytes(node_.text) : std::nullopt;
  if (!bytes) {
    wrong_type("a size such as '64m'");
    return false;
  }
  out = *bytes;
  return true;
}

bool Value::read(std::vector<std::string>& out) const {
  if (!node_.is_sequence()) {
    wrong_type("a list of strings");
    return false;
  }
  out.clear();
  for (std::size_t i = 0; i < node_.items.size(); ++i) {
    if (auto text = at(i).string()) out.push_back(std::move(*text));
  }
  return true;
}

bool Value::read_list(std::vector<std::string>& out) const {
  if (node_.is_sequence()) return read(out);
  if (!node_.is_scalar()) {
    wrong_type("a string or a list of strings");
    return false;
  }
  out = {node_.text};
  return true;
}

bool Value::read_command(std::vector<std::string>& out) const {
  if (!node_.is_scalar()) {
    if (node_.is_sequence()) return read(out);
    wrong_type("a string or a list of strings");
    return false;
  }
  auto words = shell_split(node_.text);
  if (!words) {
    invalid(fmt::format("a quote or backslash is left open in {}", shown(node_.text)));
    return false;
  }
  out = std::move(*words);
  return true;
}

bool Value::read(OptionalStringMap& out) const {
  if (node_.is_scalar()) {
    wrong_type("a mapping or a list of NAME=VALUE");
    return false;
  }
  for (const auto& entry : node_.entries) {
    auto value = at(entry);
    if (entry.key.empty()) reader_.findings.invalid(entry.place, fmt::format("{}: a name is empty", path_));
    if (!entry.value.is_scalar()) {
      value.wrong_type("a string");
    } else {
      out[entry.key] = entry.value.is_null() ? std::nullopt : std::optional(entry.value.text);
    }
  }
  for (std::size_t i = 0; i < node_.items.size(); ++i) {
    auto text = at(i).string();
    if (!text) continue;
    auto equals = text->find('=');
    if (equals == 0 || text->empty()) {
      at(i).invalid("expected NAME=VALUE, the name is empty");
    } else if (equals == std::string::npos) {
      out[*text] = std::nullopt;
    } else {
      out[text->substr(0, equals)] = text->substr(equals + 1);
    }
  }
  return true;
}

bool Value::read(StringMap& out) const {
  OptionalStringMap values;
  if (!read(values)) return false;
  for (auto& [name, value] : values) out[name] = value.value_or("");
  return true;
}

std::filesystem::path Value::resolve(std::string_view relative) const {
  std::filesystem::path path(relative);
  if (relative == "~" || relative.starts_with("~/")) {
    auto home = reader_.lookup("HOME");
    if (!home || home->empty()) {
      invalid("'~' cannot be resolved: HOME is not set");
    } else {
      path = std::filesystem::path(*home) / relative.substr(std::min<std::size_t>(2, relative.size()));
    }
  }
  auto whole = (node_.place.source != nullptr ? node_.place.source->base / path : path).lexically_normal();
  return whole.has_filename() || whole == whole.root_path() ? whole : whole.parent_path();
}

void detail::unknown_key(const Value& parent, const Entry& entry, const std::vector<std::string>& known) {
  parent.reader().findings.invalid(
      entry.place, fmt::format("{}: unknown key{}", parent.at(entry).path(), did_you_mean(entry.key, known)));
}

}  // namespace gantry::compose
