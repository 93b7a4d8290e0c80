#include "mounts.h"

#include <algorithm>
#include <charconv>

#include "gantry/base/text.h"

namespace gantry::compose {

namespace {

const std::map<std::string_view, Propagation>& propagations() {
  static const std::map<std::string_view, Propagation> kNames{
      {"rprivate", Propagation::rprivate}, {"private", Propagation::private_}, {"rshared", Propagation::rshared},
      {"shared", Propagation::shared},     {"rslave", Propagation::rslave},    {"slave", Propagation::slave}};
  return kNames;
}

void set_propagation(const Value& value, std::string_view name, Mount& mount) {
  auto found = propagations().find(name);
  if (found == propagations().end()) return value.invalid(fmt::format("unknown propagation '{}'", name));
  mount.propagation = found->second;
}

using ModeHandler = void (*)(const Value&, Mount&);

/// The words after the last colon of the short form.
const std::map<std::string_view, ModeHandler>& modes() {
  static constexpr ModeHandler kNothing = [](const Value&, Mount&) {};
  static constexpr ModeHandler kLabel = [](const Value& value, Mount&) {
    value.warn("relabelling ('z', 'Z') has no effect: Gantry does not use SELinux");
  };
  static const std::map<std::string_view, ModeHandler> kModes{
      {"rw", kNothing},
      {"ro", [](const Value&, Mount& mount) { mount.read_only = true; }},
      {"nocopy", [](const Value&, Mount& mount) { mount.no_copy = true; }},
      {"z", kLabel},
      {"Z", kLabel},
      // Hints for Docker Desktop, which the specification lets every platform ignore.
      {"cached", kNothing},
      {"delegated", kNothing},
      {"consistent", kNothing}};
  return kModes;
}

void apply_modes(const Value& value, std::string_view text, Mount& mount) {
  for (const auto& word : split(text, ',')) {
    if (auto found = modes().find(word); found != modes().end()) {
      found->second(value, mount);
    } else if (propagations().contains(word)) {
      set_propagation(value, word, mount);
    } else {
      value.invalid(fmt::format("unknown mount option '{}'", word));
    }
  }
}

bool is_host_path(std::string_view source) {
  return source.starts_with('/') || source.starts_with('.') || source.starts_with('~');
}

std::string normal(std::string_view target) {
  auto path = std::filesystem::path(target).lexically_normal();
  return path.has_filename() || path == path.root_path() ? path.string() : path.parent_path().string();
}

/// [SOURCE:]TARGET[:OPTION,...]
std::optional<Mount> parse_short(const Value& value, const std::string& text) {
  auto parts = split(text, ':');
  if (parts.size() > 3 || std::ranges::any_of(parts, [](const auto& part) { return part.empty(); })) {
    value.invalid(fmt::format("'{}' is not a mount: expected [SOURCE:]TARGET[:OPTIONS]", text));
    return std::nullopt;
  }
  Mount mount;
  mount.target = normal(parts.size() == 1 ? parts[0] : parts[1]);
  if (parts.size() >= 2) mount.source = parts[0];
  if (parts.size() == 3) apply_modes(value, parts[2], mount);
  if (is_host_path(mount.source)) {
    mount.type = MountType::bind;
    mount.source = value.resolve(mount.source).string();
    mount.create_host_path = true;
  }
  return mount;
}

struct MountDraft {
  Mount mount;
  std::string type;
  std::string source;
  std::string ignored;
  std::optional<bool> create_host_path;
  std::map<std::string, const Node*> sections;  ///< which of bind, volume, tmpfs were given
};

void read_mode(const Value& value, MountDraft& draft) {
  auto text = value.string();
  if (!text) return;
  std::uint32_t mode = 0;
  auto digits = std::string_view(*text).substr(text->starts_with("0o") ? 2 : 0);
  auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), mode, 8);
  if (error != std::errc() || end != digits.data() + digits.size() || mode > 07777)
    return value.invalid(fmt::format("'{}' is not an octal file mode", *text));
  draft.mount.tmpfs_mode = mode;
}

constexpr Key<MountDraft> kBindKeys[] = {
    {"propagation",
     [](const Value& value, MountDraft& draft) {
       if (auto name = value.string()) set_propagation(value, *name, draft.mount);
     }},
    {"create_host_path", into<&MountDraft::create_host_path>},
    {"recursive"},
    {"selinux"},
};

constexpr Key<MountDraft> kVolumeOptionKeys[] = {
    {"nocopy", into<&MountDraft::mount, &Mount::no_copy>},
    {"subpath", into<&MountDraft::mount, &Mount::subpath>},
    {"labels"},
};

constexpr Key<MountDraft> kTmpfsKeys[] = {
    {"size",
     [](const Value& value, MountDraft& draft) {
       std::uint64_t bytes = 0;
       if (value.read_bytes(bytes)) draft.mount.tmpfs_size = bytes;
     }},
    {"mode", read_mode},
};

template <const auto& Keys>
void section(const Value& value, MountDraft& draft) {
  draft.sections[value.path().substr(value.path().rfind('.') + 1)] = &value.node();
  read_keys<MountDraft>(value, Keys, draft);
}

constexpr Key<MountDraft> kMountKeys[] = {
    {"type", into<&MountDraft::type>},
    {"source", into<&MountDraft::source>},
    {"target", into<&MountDraft::mount, &Mount::target>},
    {"read_only", into<&MountDraft::mount, &Mount::read_only>},
    {"consistency", into<&MountDraft::ignored>},
    {"bind", section<kBindKeys>},
    {"volume", section<kVolumeOptionKeys>},
    {"tmpfs", section<kTmpfsKeys>},
    {"image"},
};

/// False when there is nothing to mount; that has been reported.
bool finish_long(const Value& value, MountDraft& draft) {
  auto& mount = draft.mount;
  auto reported = value.reader().findings.count();
  if (draft.type == "bind") {
    mount.type = MountType::bind;
    if (draft.source.empty()) {
      value.invalid("a bind mount needs the key 'source'");
    } else {
      mount.source = value.find("source")->resolve(draft.source).string();
    }
    mount.create_host_path = draft.create_host_path.value_or(true);
  } else if (draft.type == "volume") {
    mount.source = draft.source;
  } else if (draft.type == "tmpfs") {
    mount.type = MountType::tmpfs;
    if (!draft.source.empty()) value.invalid("a tmpfs mount has no 'source'");
  } else if (draft.type == "npipe" || draft.type == "cluster" || draft.type == "image") {
    value.unsupported(fmt::format("Gantry does not support mounts of type '{}' yet", draft.type));
  } else {
    value.invalid(draft.type.empty() ? "the key 'type' is missing: bind, volume or tmpfs"
                                     : fmt::format("unknown type '{}': expected bind, volume or tmpfs", draft.type));
  }
  for (const auto& [name, node] : draft.sections) {
    if (name != draft.type && !draft.type.empty())
      value.invalid(fmt::format("the key '{}' does not fit a mount of type '{}'", name, draft.type));
  }
  return value.reader().findings.count() == reported;
}

std::optional<Mount> read_long_mount(const Value& value) {
  MountDraft draft;
  if (!read_keys<MountDraft>(value, kMountKeys, draft)) return std::nullopt;
  if (draft.mount.target.empty()) {
    value.invalid("the key 'target' is missing");
    return std::nullopt;
  }
  draft.mount.target = normal(draft.mount.target);
  if (!finish_long(value, draft)) return std::nullopt;
  return draft.mount;
}

void apply_tmpfs_option(const Value& value, const std::string& option, MountDraft& draft) {
  auto equals = option.find('=');
  auto name = option.substr(0, equals);
  Node node = value.node();
  node.text = equals == std::string::npos ? "" : option.substr(equals + 1);
  Value inner(node, value.path(), value.reader());
  if (name == "size") {
    std::uint64_t bytes = 0;
    if (inner.read_bytes(bytes)) draft.mount.tmpfs_size = bytes;
  } else if (name == "mode") {
    read_mode(inner, draft);
  } else if (name == "ro") {
    draft.mount.read_only = true;
  } else if (name != "rw") {
    draft.mount.tmpfs_options[name] = node.text;
  }
}

std::optional<Mount> parse_tmpfs(const Value& value) {
  auto text = value.string();
  if (!text) return std::nullopt;
  auto colon = text->find(':');
  MountDraft draft;
  draft.mount.type = MountType::tmpfs;
  draft.mount.target = normal(text->substr(0, colon));
  if (colon != std::string::npos) {
    for (const auto& option : split(text->substr(colon + 1), ',')) apply_tmpfs_option(value, option, draft);
  }
  return draft.mount;
}

void keep(const Value& value, const std::string& model_path, std::optional<Mount> mount, std::vector<Mount>& out) {
  if (!mount) return;
  value.writes(fmt::format("{}[{}]", model_path, out.size()));
  out.push_back(std::move(*mount));
}

}  // namespace

void read_mounts(const Value& value, const std::string& model_path, std::vector<Mount>& out) {
  if (!value.node().is_sequence()) return value.wrong_type("a list of mounts");
  for (std::size_t i = 0; i < value.node().items.size(); ++i) {
    auto item = value.at(i);
    if (item.node().is_mapping()) {
      keep(item, model_path, read_long_mount(item), out);
    } else if (auto text = item.string()) {
      keep(item, model_path, parse_short(item, *text), out);
    }
  }
}

void read_tmpfs(const Value& value, const std::string& model_path, std::vector<Mount>& out) {
  if (value.node().is_scalar()) return keep(value, model_path, parse_tmpfs(value), out);
  if (!value.node().is_sequence()) return value.wrong_type("a string or a list of strings");
  for (std::size_t i = 0; i < value.node().items.size(); ++i)
    keep(value.at(i), model_path, parse_tmpfs(value.at(i)), out);
}

std::string mount_identity(const Node& node) {
  if (const auto* target = node.find("target")) return normal(target->text);
  auto parts = split(node.text, ':');
  return normal(parts.size() == 1 ? parts[0] : parts[1]);
}

std::string tmpfs_identity(const Node& node) { return normal(split(node.text, ':')[0]); }

}  // namespace gantry::compose
