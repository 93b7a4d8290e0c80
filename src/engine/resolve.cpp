#include "resolve.h"

#include <algorithm>
#include <filesystem>

#include "gantry/base/error.h"
#include "signals.h"

namespace gantry::engine {
namespace {

using Strings = std::vector<std::string>;

std::string key_of(const std::string& entry) { return entry.substr(0, entry.find('=')); }

Strings program(const ContainerSpec& spec, const oci::RunConfig& image) {
  Strings argv = spec.entrypoint ? *spec.entrypoint : image.Entrypoint.value_or(Strings{});
  // The image's command is written for the image's entry point: with another one it means nothing.
  const Strings command = spec.command ? *spec.command : spec.entrypoint ? Strings{} : image.Cmd.value_or(Strings{});
  argv.insert(argv.end(), command.begin(), command.end());
  if (argv.empty())
    throw Error(ErrorKind::invalid, "no command given, and image " + spec.image + " names none",
                "say what to run, for example 'gantry run " + spec.image + " /bin/sh'");
  return argv;
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

std::vector<Mount> mounts(const ContainerSpec& spec, const oci::RunConfig& image) {
  std::vector<Mount> out = spec.mounts;
  for (auto& mount : out) mount.target = normal_path(mount.target);
  for (const auto& [path, ignored] : image.Volumes) {
    auto target = normal_path("/" + path);
    auto covers = [&](const Mount& mount) { return mount.target == target; };
    if (std::none_of(out.begin(), out.end(), covers)) out.push_back({.type = MountType::volume, .target = target});
  }
  std::stable_sort(out.begin(), out.end(), [](const Mount& a, const Mount& b) { return a.target < b.target; });
  return out;
}

}  // namespace

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

std::optional<std::string> find_environment(const Strings& environment, const std::string& key) {
  for (const auto& entry : environment)
    if (key_of(entry) == key && entry.size() > key.size()) return entry.substr(key.size() + 1);
  return std::nullopt;
}

Resolved resolve(const ContainerSpec& spec, const oci::RunConfig& image) {
  Resolved out;
  out.argv = program(spec, image);
  out.environment = merge_environment(image.Env, spec.environment);
  out.user = spec.user.empty() ? image.User : spec.user;
  auto directory = spec.working_dir.empty() ? image.WorkingDir : spec.working_dir;
  out.working_dir = normal_path("/" + directory);
  out.stop_signal = signal_name(signal_number(spec.stop_signal.value_or(image.StopSignal.value_or("SIGTERM"))));
  out.health = health(spec, image);
  out.mounts = mounts(spec, image);
  return out;
}

}  // namespace gantry::engine
