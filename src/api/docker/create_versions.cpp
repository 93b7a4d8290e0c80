#include "create.h"
#include "gantry/base/error.h"

/// The body of POST /containers/create as older versions of the API have it (the version history of the Docker Engine
/// API says what came when).
namespace gantry::api::docker {
namespace {

namespace bj = boost::json;

bj::object* member_object(bj::object* from, std::string_view key) {
  auto* value = from->if_contains(key);
  return value == nullptr ? nullptr : value->if_object();
}

struct Newer {
  int since;
  const char* member;
};

void erase_newer(bj::object* object, int minor, std::initializer_list<Newer> members) {
  for (const auto& [since, member] : members)
    if (minor < since) object->erase(member);
}

void adapt_mount(bj::object* mount, int minor) {
  if (auto* bind = member_object(mount, "BindOptions"))
    erase_newer(
        bind, minor,
        {{40, "NonRecursive"}, {42, "CreateMountpoint"}, {44, "ReadOnlyNonRecursive"}, {44, "ReadOnlyForceRecursive"}});
  if (auto* volume = member_object(mount, "VolumeOptions")) erase_newer(volume, minor, {{45, "Subpath"}});
  if (auto* tmpfs = member_object(mount, "TmpfsOptions")) erase_newer(tmpfs, minor, {{46, "Options"}});
  // Up to 1.43 a read-only bind was so at its top only.
  const auto* read_only = mount->if_contains("ReadOnly");
  const auto* type = mount->if_contains("Type");
  if (minor >= 44 || read_only == nullptr || *read_only != true || type == nullptr || *type != "bind") return;
  if (member_object(mount, "BindOptions") == nullptr) (*mount)["BindOptions"] = bj::object();
  (*mount)["BindOptions"].as_object()["ReadOnlyNonRecursive"] = true;
}

bool is_empty(const bj::value* value) {
  return value == nullptr || value->is_null() || (value->is_string() && value->get_string().empty());
}

void adapt_host(bj::object* host, int minor) {
  erase_newer(host, minor,
              {{25, "AutoRemove"},
               {25, "NanoCpus"},
               {25, "Init"},
               {25, "Mounts"},
               {28, "DeviceCgroupRules"},
               {40, "DeviceRequests"},
               {41, "CgroupnsMode"},
               {42, "ConsoleSize"},
               {43, "Annotations"}});
  if (minor < 40 && is_empty(host->if_contains("IpcMode"))) (*host)["IpcMode"] = "shareable";
  auto* mounts = host->if_contains("Mounts");
  if (mounts == nullptr || !mounts->is_array()) return;
  for (auto& mount : mounts->get_array())
    if (mount.is_object()) adapt_mount(&mount.get_object(), minor);
}

}  // namespace

void forget_newer_members(bj::object* body, int minor) {
  if (auto* health = member_object(body, "Healthcheck"))
    erase_newer(health, minor, {{29, "StartPeriod"}, {44, "StartInterval"}});
  erase_newer(body, minor, {{25, "StopTimeout"}});
  if (minor < 40 && body->if_contains("HostConfig") == nullptr) (*body)["HostConfig"] = bj::object();
  if (auto* host = member_object(body, "HostConfig")) adapt_host(host, minor);
}

std::optional<engine::TerminalSize> read_console_size(const Body& body) {
  const auto* value = body.find("ConsoleSize");
  if (value == nullptr) return std::nullopt;
  auto read = [&](std::size_t at) {
    boost::system::error_code failed;
    auto number = value->get_array()[at].to_number<std::uint16_t>(failed);
    if (failed) throw Error(ErrorKind::invalid, "invalid JSON: ConsoleSize: expected two numbers");
    return number;
  };
  if (!value->is_array() || value->get_array().size() != 2)
    throw Error(ErrorKind::invalid, "invalid JSON: ConsoleSize: expected two numbers");
  engine::TerminalSize out{.rows = read(0), .columns = read(1)};
  if (out.rows == 0 || out.columns == 0) return std::nullopt;
  return out;
}

}  // namespace gantry::api::docker
