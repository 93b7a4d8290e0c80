#include "resolve.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "gantry/base/error.h"
#include "signals.h"

namespace gantry::engine {
namespace {

using Strings = std::vector<std::string>;

std::string key_of(const std::string& entry) { return entry.substr(0, entry.find('=')); }

void resolve_program(const ContainerSpec& spec, const oci::RunConfig& image, Resolved* out) {
  out->entrypoint = spec.entrypoint ? *spec.entrypoint : image.Entrypoint.value_or(Strings{});
  // The image's command is written for the image's entry point: with another one it means nothing.
  out->command = spec.command ? *spec.command : spec.entrypoint ? Strings{} : image.Cmd.value_or(Strings{});
  out->argv = out->entrypoint;
  out->argv.insert(out->argv.end(), out->command.begin(), out->command.end());
  if (out->argv.empty())
    throw Error(ErrorKind::invalid, "no command given, and image " + spec.image + " names none",
                "say what to run, for example 'gantry run " + spec.image + " /bin/sh'");
}

Strings exposed_ports(const ContainerSpec& spec, const oci::RunConfig& image) {
  Strings out;
  auto add = [&](const std::string& port) {
    auto full = port.find('/') == std::string::npos ? port + "/tcp" : port;
    if (std::find(out.begin(), out.end(), full) == out.end()) out.push_back(std::move(full));
  };
  for (const auto& port : spec.ports)
    add(std::to_string(port.container_port) + (port.protocol == Protocol::udp ? "/udp" : "/tcp"));
  for (const auto& port : spec.exposed_ports) add(port);
  for (const auto& [port, nothing] : image.ExposedPorts) add(port);
  return out;
}

Strings shell_command(const oci::RunConfig& image, const std::string& line) {
  Strings argv = image.Shell && !image.Shell->empty() ? *image.Shell : Strings{"/bin/sh", "-c"};
  argv.push_back(line);
  return argv;
}

Strings image_test(const oci::RunConfig& image) {
  if (!image.Healthcheck || image.Healthcheck->Test.empty()) return {};
  const auto& test = image.Healthcheck->Test;
  if (test[0] == "CMD") return Strings(test.begin() + 1, test.end());
  if (test[0] == "CMD-SHELL" && test.size() > 1) return shell_command(image, test[1]);
  return {};
}

// Zero means "the default" in the image specification's extension.
HealthCheck image_times(const oci::HealthConfig& image) {
  HealthCheck check;
  auto take = [](const std::optional<std::int64_t>& value, Duration* out) {
    if (value.value_or(0) > 0) *out = Duration(*value);
  };
  take(image.Interval, &check.interval);
  take(image.Timeout, &check.timeout);
  take(image.StartPeriod, &check.start_period);
  take(image.StartInterval, &check.start_interval);
  if (image.Retries.value_or(0) > 0) check.retries = *image.Retries;
  return check;
}

std::optional<HealthCheck> health(const ContainerSpec& spec, const oci::RunConfig& image) {
  if (spec.health && spec.health->disable) return std::nullopt;
  HealthCheck check = spec.health ? *spec.health : image.Healthcheck ? image_times(*image.Healthcheck) : HealthCheck{};
  if (!check.shell.empty()) {
    check.test = shell_command(image, check.shell);
  } else if (check.test.empty()) {
    check.test = image_test(image);
  }
  if (check.test.empty()) return std::nullopt;
  return check;
}

std::string normal_path(const std::string& path) {
  auto text = std::filesystem::path(path).lexically_normal().string();
  if (text.size() > 1 && text.ends_with('/')) text.pop_back();
  return text;
}

std::vector<Mount> mounts(const ContainerSpec& spec, const oci::RunConfig& image, const std::vector<Mount>& inherited) {
  std::vector<Mount> out = spec.mounts;
  for (auto& mount : out) mount.target = normal_path(mount.target);
  auto is_free = [&](const std::string& target) {
    return std::none_of(out.begin(), out.end(), [&](const Mount& mount) { return mount.target == target; });
  };
  for (const auto& mount : inherited)
    if (is_free(mount.target)) out.push_back(mount);
  for (const auto& [path, ignored] : image.Volumes) {
    auto target = normal_path("/" + path);
    if (is_free(target)) out.push_back({.type = MountType::volume, .target = target});
  }
  std::stable_sort(out.begin(), out.end(), [](const Mount& a, const Mount& b) { return a.target < b.target; });
  return out;
}

std::vector<PortBinding> ports(const ContainerSpec& spec, const oci::RunConfig& image) {
  auto out = spec.ports;
  if (!spec.publish_all) return out;
  for (const auto& text : exposed_ports(spec, image)) {
    auto port = parse_exposed_port(text);
    auto same = [&](const PortBinding& have) {
      return have.container_port == port.container_port && have.protocol == port.protocol;
    };
    if (std::none_of(out.begin(), out.end(), same)) out.push_back(port);
  }
  return out;
}

}  // namespace

PortBinding parse_exposed_port(const std::string& text) {
  auto slash = text.find('/');
  auto protocol = slash == std::string::npos ? "tcp" : text.substr(slash + 1);
  PortBinding out;
  auto end = text.data() + std::min(slash, text.size());
  auto [stopped, failed] = std::from_chars(text.data(), end, out.container_port);
  bool known = protocol == "tcp" || protocol == "udp";
  if (failed != std::errc() || stopped != end || out.container_port == 0 || !known)
    throw Error(ErrorKind::invalid, "exposed port '" + text + "' is not a port", "write it as 80 or 53/udp");
  out.protocol = protocol == "udp" ? Protocol::udp : Protocol::tcp;
  return out;
}

Strings merge_environment(Strings base, const Strings& over) {
  for (const auto& entry : over) {
    auto key = key_of(entry);
    auto same = std::find_if(base.begin(), base.end(), [&](const std::string& have) { return key_of(have) == key; });
    bool assigns = entry.find('=') != std::string::npos;
    if (same == base.end()) {
      if (assigns) base.push_back(entry);
    } else if (assigns) {
      *same = entry;
    } else {
      base.erase(same);
    }
  }
  return base;
}

Resolved resolve(const ContainerSpec& spec, const oci::RunConfig& image, const std::vector<Mount>& inherited) {
  Resolved out;
  resolve_program(spec, image, &out);
  out.exposed_ports = exposed_ports(spec, image);
  out.environment = merge_environment(image.Env, spec.environment);
  out.user = spec.user.empty() ? image.User : spec.user;
  auto directory = spec.working_dir.empty() ? image.WorkingDir : spec.working_dir;
  out.working_dir = normal_path("/" + directory);
  out.stop_signal = signal_name(signal_number(spec.stop_signal.value_or(image.StopSignal.value_or("SIGTERM"))));
  out.health = health(spec, image);
  out.mounts = mounts(spec, image, inherited);
  out.ports = ports(spec, image);
  return out;
}

}  // namespace gantry::engine
