#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "gantry/base/error.h"
#include "gantry/base/text.h"
#include "parse.h"
#include "text.h"

namespace gantry::cli {
namespace {

using engine::NamespaceMode;

bool parse_switch(std::string_view option, const std::string& value, bool given) {
  if (!given || value == "true") return true;
  if (value == "false") return false;
  refuse_option("--security-opt", option, "expected true or false");
}

}  // namespace

engine::Namespace parse_namespace(std::string_view text, std::string_view option) {
  constexpr std::array kModes{std::pair{"private", NamespaceMode::private_}, std::pair{"host", NamespaceMode::host},
                              std::pair{"shareable", NamespaceMode::shareable}, std::pair{"none", NamespaceMode::none}};
  auto [name, container, joins] = cut(text, ':');
  if (name == "container" && joins && !container.empty())
    return {.mode = NamespaceMode::container, .container = container};
  for (const auto& [known, mode] : kModes)
    if (name == known && !joins) return {.mode = mode};
  refuse_option(option, text, "expected private, host or container:NAME");
}

engine::Device parse_device(std::string_view text) {
  auto parts = split(text, ':');
  if (parts.size() > 3 || parts[0].empty()) refuse_option("--device", text, "expected DEVICE[:TARGET][:rwm]");
  engine::Device out{.source = parts[0]};
  for (std::size_t i = 1; i < parts.size(); ++i) {
    bool is_access = !parts[i].starts_with('/');
    if (is_access && i + 1 != parts.size())
      refuse_option("--device", text, "the path in the container must be absolute");
    (is_access ? out.access : out.target) = parts[i];
  }
  return out;
}

bool is_cdi_name(std::string_view text) { return !text.starts_with('/') && text.find('=') != std::string_view::npos; }

engine::DeviceLimit parse_device_limit(std::string_view text, std::string_view option) {
  auto colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) refuse_option(option, text, "expected DEVICE:LIMIT");
  return {.path = std::string(text.substr(0, colon)), .value = parse_size(text.substr(colon + 1), option)};
}

engine::Link parse_link(std::string_view text) {
  auto [container, alias, found] = cut(text, ':');
  if (container.empty() || (found && alias.empty())) refuse_option("--link", text, "expected CONTAINER[:ALIAS]");
  return {.container = container, .alias = alias};
}

engine::VolumesFrom parse_volumes_from(std::string_view text) {
  auto [container, mode, found] = cut(text, ':');
  if (container.empty() || (found && mode != "ro" && mode != "rw"))
    refuse_option("--volumes-from", text, "expected CONTAINER[:ro]");
  return {.container = container, .read_only = mode == "ro"};
}

void apply_security_option(std::string_view text, engine::Security& security, const ReadFile& read_file) {
  // Docker accepts both "key=value" and the older "key:value".
  std::string option(text);
  if (auto first = option.find_first_of("=:"); first != std::string::npos) option[first] = '=';
  auto [key, value, given] = cut(option, '=');
  if (key == "no-new-privileges") {
    security.no_new_privileges = parse_switch(text, value, given);
  } else if (key == "seccomp" && value == engine::kUnconfined) {
    security.seccomp = engine::Seccomp::unconfined;
  } else if (key == "seccomp" && value == "builtin") {
    security.seccomp = engine::Seccomp::default_;
  } else if (key == "seccomp" && !value.empty()) {
    security.seccomp_profile = read_file(value);
  } else if (key == "systempaths" && value == engine::kUnconfined) {
    security.unmask_paths = true;
  } else if (key == "apparmor" && !value.empty()) {
    security.apparmor = value;
  } else if (key == "label" && !value.empty()) {
    security.selinux.push_back(value);
  } else {
    throw Error(ErrorKind::unsupported, fmt::format("--security-opt '{}': not supported", text),
                "use no-new-privileges[=true|false], seccomp=FILE|unconfined, apparmor=PROFILE, label=LABEL or "
                "systempaths=unconfined");
  }
}

}  // namespace gantry::cli
