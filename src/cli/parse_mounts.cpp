#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "gantry/base/error.h"
#include "gantry/base/ids.h"
#include "gantry/base/text.h"
#include "parse.h"
#include "text.h"

namespace gantry::cli {
namespace {

using engine::Mount;
using engine::MountType;

bool looks_like_path(std::string_view source) {
  return source.starts_with('/') || source.starts_with('.') || source.starts_with('~');
}

std::string absolute_source(std::string_view source, const std::filesystem::path& directory) {
  std::filesystem::path path(source);
  if (source == "~" || source.starts_with("~/")) {
    const char* home = std::getenv("HOME");
    path = std::filesystem::path(home == nullptr ? "/" : home) / source.substr(source.size() > 1 ? 2 : 1);
  }
  auto normal = (path.is_absolute() ? path : directory / path).lexically_normal();
  if (!normal.has_filename() && normal != "/") normal = normal.parent_path();
  return normal.string();
}

std::uint32_t parse_mode(std::string_view text, std::string_view option) {
  std::uint32_t mode = 0;
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
  if (failed != std::errc() || end != text.data() + text.size() || mode > 07777)
    refuse_option(option, text, "expected permission bits such as 1777");
  return mode;
}

std::optional<engine::Propagation> find_propagation(std::string_view name) {
  using enum engine::Propagation;
  constexpr std::pair<std::string_view, engine::Propagation> kNames[]{{"rprivate", rprivate}, {"private", private_},
                                                                      {"rshared", rshared},   {"shared", shared},
                                                                      {"rslave", rslave},     {"slave", slave}};
  for (const auto& [known, propagation] : kNames)
    if (known == name) return propagation;
  return std::nullopt;
}

void apply_volume_options(std::string_view options, std::string_view text, Mount& mount) {
  for (const auto& option : split(options, ',')) {
    if (option == "ro") {
      mount.read_only = true;
    } else if (option == "nocopy") {
      mount.no_copy = true;
    } else if (auto propagation = find_propagation(option)) {
      mount.propagation = *propagation;
    } else if (option != "rw" && option != "z" && option != "Z") {  // z, Z: SELinux labels, nothing to do on Debian
      refuse_option("-v", text,
                    fmt::format("unknown option '{}' (ro, rw, nocopy, rslave, rshared and their like)", option));
    }
  }
}

using MountKey = void (*)(Mount& mount, const std::string& value, const std::filesystem::path& directory);
struct MountKeyRow {
  std::string_view name;
  MountKey apply;
};

bool is_true(const std::string& value) {
  if (value.empty() || value == "true" || value == "1") return true;
  if (value == "false" || value == "0") return false;
  refuse_option("--mount", value, "expected true or false");
}

void set_type(Mount& mount, const std::string& value, const std::filesystem::path&) {
  if (value == "bind") {
    mount.type = MountType::bind;
  } else if (value == "volume") {
    mount.type = MountType::volume;
  } else if (value == "tmpfs") {
    mount.type = MountType::tmpfs;
  } else {
    refuse_option("--mount", "type=" + value, "expected bind, volume or tmpfs");
  }
}
void set_source(Mount& mount, const std::string& value, const std::filesystem::path&) { mount.source = value; }
void set_target(Mount& mount, const std::string& value, const std::filesystem::path&) { mount.target = value; }
void set_read_only(Mount& mount, const std::string& value, const std::filesystem::path&) {
  mount.read_only = is_true(value);
}
void set_no_copy(Mount& mount, const std::string& value, const std::filesystem::path&) {
  mount.no_copy = is_true(value);
}
void set_size(Mount& mount, const std::string& value, const std::filesystem::path&) {
  mount.tmpfs_size = parse_size(value, "--mount tmpfs-size");
}
void set_mode(Mount& mount, const std::string& value, const std::filesystem::path&) {
  mount.tmpfs_mode = parse_mode(value, "--mount tmpfs-mode");
}

void set_propagation(Mount& mount, const std::string& value, const std::filesystem::path&) {
  auto propagation = find_propagation(value);
  if (!propagation)
    refuse_option("--mount", "bind-propagation=" + value, "expected rprivate, rslave, rshared or their like");
  mount.propagation = *propagation;
}
void set_recursive(Mount& mount, const std::string& value, const std::filesystem::path&) {
  // As docker has it: how far "readonly" reaches is said here, too.
  if (value == "disabled") mount.recursive = false;
  if (value == "writable") mount.read_only_recursive = false;
  if (value != "disabled" && value != "writable" && value != "enabled" && value != "readonly")
    refuse_option("--mount", "bind-recursive=" + value, "expected enabled, disabled, writable or readonly");
}
void set_subpath(Mount& mount, const std::string& value, const std::filesystem::path&) { mount.subpath = value; }
void set_label(Mount& mount, const std::string& value, const std::filesystem::path&) {
  auto [key, text, found] = cut(value, '=');
  mount.volume_labels.insert_or_assign(key, text);
}
void set_create(Mount& mount, const std::string& value, const std::filesystem::path&) {
  mount.create_source = is_true(value);
}
void ignore_value(Mount&, const std::string&, const std::filesystem::path&) {}  // means nothing on Linux

constexpr MountKeyRow kMountKeys[]{
    {"type", set_type},
    {"source", set_source},
    {"src", set_source},
    {"target", set_target},
    {"destination", set_target},
    {"dst", set_target},
    {"readonly", set_read_only},
    {"ro", set_read_only},
    {"volume-nocopy", set_no_copy},
    {"tmpfs-size", set_size},
    {"tmpfs-mode", set_mode},
    {"bind-propagation", set_propagation},
    {"bind-recursive", set_recursive},
    {"bind-create-src", set_create},
    {"volume-subpath", set_subpath},
    {"volume-label", set_label},
    {"consistency", ignore_value},
};

const MountKeyRow& mount_key(const std::string& name, std::string_view text) {
  std::vector<std::string> known;
  for (const auto& row : kMountKeys) {
    if (row.name == name) return row;
    known.emplace_back(row.name);
  }
  auto near = nearest(name, known);
  refuse_option("--mount", text,
                fmt::format("unknown key '{}'{}", name, near.empty() ? "" : ", did you mean '" + near + "'?"));
}

void check(const Mount& mount, std::string_view option, std::string_view text) {
  if (!mount.target.starts_with('/')) refuse_option(option, text, "the path in the container must be absolute");
  if (mount.type == MountType::bind && mount.source.empty()) refuse_option(option, text, "a bind mount needs a source");
  if (mount.type == MountType::tmpfs && !mount.source.empty()) refuse_option(option, text, "a tmpfs has no source");
  if (mount.type == MountType::volume && !mount.source.empty() && !is_valid_name(mount.source))
    refuse_option(option, text,
                  "a volume's name has letters, digits, '_', '.' and '-'; a path starts with '/' or './'");
  if (mount.type != MountType::tmpfs && (mount.tmpfs_size || mount.tmpfs_mode))
    refuse_option(option, text, "tmpfs-size and tmpfs-mode need type=tmpfs");
}

}  // namespace

Mount parse_volume(std::string_view text, const std::filesystem::path& directory) {
  auto parts = split(text, ':');
  if (parts.size() > 3 || parts[0].empty()) refuse_option("-v", text, "expected [SOURCE:]TARGET[:OPTIONS]");
  Mount mount;
  if (parts.size() == 1) {
    mount.target = parts[0];
  } else {
    mount.source = parts[0];
    mount.target = parts[1];
    if (looks_like_path(mount.source)) {
      mount.type = MountType::bind;
      mount.source = absolute_source(mount.source, directory);
      mount.create_source = true;
    }
    if (parts.size() == 3) apply_volume_options(parts[2], text, mount);
  }
  check(mount, "-v", text);
  return mount;
}

Mount parse_mount(std::string_view text, const std::filesystem::path& directory) {
  Mount mount;
  for (const auto& field : split(text, ',')) {
    auto [key, value, found] = cut(field, '=');
    mount_key(key, text).apply(mount, value, directory);
  }
  if (mount.type == MountType::bind && !mount.source.empty()) mount.source = absolute_source(mount.source, directory);
  check(mount, "--mount", text);
  return mount;
}

Mount parse_tmpfs(std::string_view text) {
  auto [target, options, found] = cut(text, ':');
  Mount mount;
  mount.type = MountType::tmpfs;
  mount.target = target;
  if (found) {
    for (const auto& option : split(options, ',')) {
      auto [key, value, given] = cut(option, '=');
      if (key == "size") {
        mount.tmpfs_size = parse_size(value, "--tmpfs size");
      } else if (key == "mode") {
        mount.tmpfs_mode = parse_mode(value, "--tmpfs mode");
      } else if (key == "ro") {
        mount.read_only = true;
      } else if (key != "rw") {
        mount.options.push_back(option);  // the engine knows which there are
      }
    }
  }
  check(mount, "--tmpfs", text);
  return mount;
}

}  // namespace gantry::cli
