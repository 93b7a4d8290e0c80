#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gantry/engine/types.h"

/// What users of docker write on a command line, as the engine's types. Every function throws Error (invalid) that
/// quotes the text and says which form is expected.
namespace gantry::cli {

/// "8080:80", "127.0.0.1:8080:80/udp", "80", "8000-8002:80-82", "[::1]:8080:80".
std::vector<engine::PortBinding> parse_ports(std::string_view text);

/// Throws Error invalid: "OPTION 'TEXT': WHY".
[[noreturn]] void refuse_option(std::string_view option, std::string_view text, std::string_view why);

/// "-v": "NAME:/path[:ro]", "/host:/path[:ro,z]", "./relative:/path", "/path" (anonymous). A relative or home path is
/// taken from `directory`.
engine::Mount parse_volume(std::string_view text, const std::filesystem::path& directory);
/// "--mount": "type=bind,source=/x,target=/y,readonly".
engine::Mount parse_mount(std::string_view text, const std::filesystem::path& directory);
/// "--tmpfs": "/run", "/run:size=64m,mode=1777".
engine::Mount parse_tmpfs(std::string_view text);

/// "no", "always", "unless-stopped", "on-failure", "on-failure:3".
engine::RestartPolicy parse_restart(std::string_view text);
/// "nofile=1024", "nofile=1024:2048"; -1 is unlimited.
engine::Ulimit parse_ulimit(std::string_view text);
using ReadFile = std::function<std::string(const std::filesystem::path&)>;
/// "--security-opt": no-new-privileges[:true|false], seccomp=FILE|unconfined, apparmor=PROFILE, label=LABEL,
/// systempaths=unconfined.
void apply_security_option(std::string_view text, engine::Security& security, const ReadFile& read_file);
/// "--pid" and its like: "host", "private", "container:NAME"; for --ipc also "shareable" and "none".
engine::Namespace parse_namespace(std::string_view text, std::string_view option);
/// "--device": "/dev/fuse", "/dev/sda:/dev/disk:r".
engine::Device parse_device(std::string_view text);
/// Whether a text for --device is the name of a CDI device, "vendor.com/class=name".
bool is_cdi_name(std::string_view text);
/// "--device-read-bps" and its like: "/dev/sda:1m".
engine::DeviceLimit parse_device_limit(std::string_view text, std::string_view option);
/// "--link": "db:database".
engine::Link parse_link(std::string_view text);
/// "--volumes-from": "db:ro".
engine::VolumesFrom parse_volumes_from(std::string_view text);
/// "--log-opt": max-size=10m, max-file=3, and what the log driver has.
void apply_log_option(std::string_view text, engine::LogOptions& options);
/// "--userns": "host" or "private".
engine::UserNamespace parse_user_namespace(std::string_view text);

/// "KEY=VALUE"; a KEY alone takes its value from `environment` and is left out (nullopt) when it is not there.
std::optional<std::string> parse_variable(std::string_view text, const std::map<std::string, std::string>& environment);
/// Lines "KEY=VALUE" or "KEY", "#" comments. `name` is the file's, for errors.
std::vector<std::string> parse_variable_file(std::string_view text, const std::string& name,
                                             const std::map<std::string, std::string>& environment);
/// "key=value", or "key" with an empty value. `option` names the option in errors.
std::pair<std::string, std::string> parse_pair(std::string_view text, std::string_view option);
std::map<std::string, std::string> parse_pairs(const std::vector<std::string>& texts, std::string_view option);
/// "name:address" or "name=address".
std::string parse_extra_host(std::string_view text);

std::uint64_t parse_size(std::string_view text, std::string_view option);
Duration parse_time_span(std::string_view text, std::string_view option);
/// A time span, where a bare number means seconds (docker's -t).
Duration parse_grace(std::string_view text, std::string_view option);
std::int64_t parse_number(std::string_view text, std::string_view option);
double parse_decimal(std::string_view text, std::string_view option);
/// "10m" (that long ago), RFC 3339, a date, or seconds since 1970.
Timestamp parse_moment(std::string_view text, Timestamp now, std::string_view option);

/// "unix:///run/gantry/gantry.sock" or a path.
std::filesystem::path parse_host(std::string_view text);
/// "ctrl-p,ctrl-q": the bytes to look for.
std::string parse_detach_keys(std::string_view text);

}  // namespace gantry::cli
