#include "parse.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "gantry/base/error.h"
#include "gantry/base/text.h"
#include "gantry/base/time.h"
#include "text.h"

namespace gantry::cli {
namespace {

template <class T>
T number(std::string_view text, std::string_view option, std::string_view expected) {
  T value{};
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc() || end != text.data() + text.size())
    throw Error(ErrorKind::invalid, fmt::format("{} '{}': expected {}", option, text, expected));
  return value;
}

std::string trimmed(std::string_view text) {
  auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(" \t\r") - first + 1));
}

}  // namespace

void refuse_option(std::string_view option, std::string_view text, std::string_view why) {
  throw Error(ErrorKind::invalid, fmt::format("{} '{}': {}", option, text, why));
}

engine::RestartPolicy parse_restart(std::string_view text) {
  using engine::RestartMode;
  constexpr std::array kModes{std::pair{"no", RestartMode::no}, std::pair{"always", RestartMode::always},
                              std::pair{"on-failure", RestartMode::on_failure},
                              std::pair{"unless-stopped", RestartMode::unless_stopped}};
  auto [name, count, counted] = cut(text, ':');
  for (const auto& [known, mode] : kModes) {
    if (name != known) continue;
    if (!counted) return {mode, 0};
    if (mode != RestartMode::on_failure) break;
    auto retries = number<int>(count, "--restart", "a number after 'on-failure:'");
    if (retries < 0) break;
    return {mode, retries};
  }
  throw Error(ErrorKind::invalid,
              fmt::format("--restart '{}': expected no, always, unless-stopped or on-failure[:N]", text));
}

engine::Ulimit parse_ulimit(std::string_view text) {
  auto [name, limits, found] = cut(text, '=');
  if (!found || name.empty())
    throw Error(ErrorKind::invalid, fmt::format("--ulimit '{}': expected NAME=SOFT[:HARD]", text));
  auto limit = [](const std::string& value) {
    auto parsed = number<std::int64_t>(value, "--ulimit", "a number, or -1 for unlimited");
    return static_cast<std::uint64_t>(parsed);
  };
  auto [soft, hard, both] = cut(limits, ':');
  engine::Ulimit out{name, limit(soft), limit(both ? hard : soft)};
  if (out.soft > out.hard)
    throw Error(ErrorKind::invalid, fmt::format("--ulimit '{}': the soft limit is above the hard limit", text));
  return out;
}

void apply_log_option(std::string_view text, engine::LogOptions& options) {
  auto [key, value] = parse_pair(text, "--log-opt");
  if (key == "max-size") {
    options.max_size = parse_size(value, "--log-opt max-size");
  } else if (key == "max-file") {
    options.max_files = number<int>(value, "--log-opt max-file", "a number");
    if (options.max_files < 1) throw Error(ErrorKind::invalid, "--log-opt max-file: expected at least 1");
  } else {
    options.options[key] = value;  // the daemon knows what its drivers have
  }
}

engine::UserNamespace parse_user_namespace(std::string_view text) {
  if (text == "host") return engine::UserNamespace::host;
  if (text == "private" || text.empty()) return engine::UserNamespace::private_;
  throw Error(ErrorKind::invalid, fmt::format("--userns '{}': expected host or private", text));
}

std::optional<std::string> parse_variable(std::string_view text,
                                          const std::map<std::string, std::string>& environment) {
  auto [name, value, found] = cut(text, '=');
  if (name.empty()) throw Error(ErrorKind::invalid, fmt::format("variable '{}': expected KEY=VALUE or KEY", text));
  if (found) return std::string(text);
  auto here = environment.find(name);
  if (here == environment.end()) return std::nullopt;
  return name + "=" + here->second;
}

std::vector<std::string> parse_variable_file(std::string_view text, const std::string& name,
                                             const std::map<std::string, std::string>& environment) {
  std::vector<std::string> out;
  std::vector<Finding> findings;
  int line_number = 0;
  for (const auto& raw : split(text, '\n')) {
    ++line_number;
    auto first = raw.find_first_not_of(" \t");
    auto line = first == std::string::npos ? std::string() : raw.substr(first);
    if (line.ends_with('\r')) line.pop_back();
    if (line.empty() || line[0] == '#') continue;
    auto key = cut(line, '=').before;
    if (key.empty() || key.find_first_of(" \t") != std::string::npos) {
      findings.push_back({{name, line_number, 1}, "expected KEY=VALUE or KEY"});
    } else if (auto variable = parse_variable(line, environment)) {
      out.push_back(std::move(*variable));
    }
  }
  if (!findings.empty()) throw Error(ErrorKind::invalid, name + " is not a file of variables", std::move(findings));
  return out;
}

std::pair<std::string, std::string> parse_pair(std::string_view text, std::string_view option) {
  auto [key, value, found] = cut(text, '=');
  if (key.empty()) throw Error(ErrorKind::invalid, fmt::format("{} '{}': expected KEY=VALUE", option, text));
  return {key, value};
}

std::map<std::string, std::string> parse_pairs(const std::vector<std::string>& texts, std::string_view option) {
  std::map<std::string, std::string> out;
  for (const auto& text : texts) {
    auto [key, value] = parse_pair(text, option);
    out[key] = value;
  }
  return out;
}

std::string parse_extra_host(std::string_view text) {
  auto separator = text.find('=') != std::string_view::npos ? '=' : ':';
  auto [name, address, found] = cut(text, separator);
  if (name.empty() || address.empty())
    throw Error(ErrorKind::invalid, fmt::format("--add-host '{}': expected NAME:ADDRESS", text));
  if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
  return name + ":" + address;
}

std::uint64_t parse_size(std::string_view text, std::string_view option) {
  if (auto bytes = parse_bytes(text)) return *bytes;
  throw Error(ErrorKind::invalid, fmt::format("{} '{}': expected a size such as 512m or 2g", option, text));
}

Duration parse_time_span(std::string_view text, std::string_view option) {
  auto span = parse_duration(text);
  if (span && *span >= Duration(0)) return *span;
  throw Error(ErrorKind::invalid, fmt::format("{} '{}': expected a duration such as 30s or 1m30s", option, text));
}

Duration parse_grace(std::string_view text, std::string_view option) {
  bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
  if (digits && text.size() <= 9) return std::chrono::seconds(number<std::int64_t>(text, option, "seconds"));
  return parse_time_span(text, option);
}

std::int64_t parse_number(std::string_view text, std::string_view option) {
  return number<std::int64_t>(text, option, "a whole number");
}

double parse_decimal(std::string_view text, std::string_view option) {
  auto value = number<double>(text, option, "a number such as 1.5");
  if (!(value >= 0) || value > 1e6) throw Error(ErrorKind::invalid, fmt::format("{} '{}': out of range", option, text));
  return value;
}

Timestamp parse_moment(std::string_view text, Timestamp now, std::string_view option) {
  bool digits = !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
  if (digits && text.size() <= 10)
    return Timestamp(std::chrono::seconds(number<std::int64_t>(text, option, "seconds")));
  if (auto span = parse_duration(text)) return now - *span;
  // Short forms of RFC 3339: a date, and a time without a zone (UTC).
  for (std::string_view tail : {"", "Z", "T00:00:00Z", ":00Z"})
    if (auto moment = from_rfc3339(std::string(text) + std::string(tail))) return *moment;
  throw Error(
      ErrorKind::invalid,
      fmt::format("{} '{}': expected a span such as 10m, or a time such as 2026-11-21T08:30:00Z", option, text));
}

std::filesystem::path parse_host(std::string_view text) {
  constexpr std::string_view kScheme = "unix://";
  if (text.starts_with(kScheme)) text.remove_prefix(kScheme.size());
  if (text.starts_with('/')) return std::filesystem::path(text);
  throw Error(ErrorKind::invalid, fmt::format("host '{}': expected unix:///path/of/the/socket", text));
}

std::string parse_detach_keys(std::string_view text) {
  std::string keys;
  for (const auto& raw : split(text, ',')) {
    auto key = trimmed(raw);
    if (key.size() == 1) {
      keys += key;
    } else if (key.size() == 6 && key.starts_with("ctrl-") &&
               ((key[5] >= 'a' && key[5] <= 'z') || (key[5] >= '@' && key[5] <= '_'))) {
      keys += static_cast<char>(key[5] & 0x1f);
    } else {
      throw Error(ErrorKind::invalid, fmt::format("--detach-keys '{}': expected keys such as ctrl-p,ctrl-q", text));
    }
  }
  return keys;
}

}  // namespace gantry::cli
