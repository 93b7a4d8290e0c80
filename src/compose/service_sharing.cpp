#include <algorithm>
#include <array>

#include "gantry/base/text.h"
#include "service.h"

// What a service shares with others or is given of the host.
namespace gantry::compose {
namespace {

/// "service:db" and the like; what is in the stack must be there first.
std::optional<Share> parse_share(const std::string& text, ServiceDraft& draft) {
  constexpr std::array kWords{std::pair{"private", ShareMode::private_}, std::pair{"host", ShareMode::host},
                              std::pair{"shareable", ShareMode::shareable}, std::pair{"none", ShareMode::none}};
  for (const auto& [word, mode] : kWords)
    if (text == word) return Share{mode, {}};
  auto colon = text.find(':');
  auto kind = text.substr(0, colon);
  auto name = colon == std::string::npos ? std::string() : text.substr(colon + 1);
  if (name.empty() || (kind != "service" && kind != "container")) return std::nullopt;
  if (kind == "container") return Share{ShareMode::container, name};
  draft.service.depends_on.try_emplace(name, Dependency{.restart = true});
  return Share{ShareMode::service, name};
}

struct ShareKey {
  Share Sharing::*member;
  std::vector<ShareMode> modes;
  const char* expected;
};

void read_share(const Value& value, ServiceDraft& draft, const ShareKey& key) {
  auto text = value.string();
  if (!text) return;
  auto share = parse_share(*text, draft);
  if (!share || std::ranges::find(key.modes, share->mode) == key.modes.end())
    return value.invalid(fmt::format("unknown mode '{}': expected {}", *text, key.expected));
  draft.service.sharing.*key.member = *share;
}

struct Named {
  std::string name;
  std::string detail;  ///< what follows the colon
  bool in_stack = true;
};

/// "SERVICE[:DETAIL]", "container:NAME[:DETAIL]".
std::optional<Named> parse_named(const Value& value, bool may_be_container) {
  auto text = value.string();
  if (!text) return std::nullopt;
  Named out;
  auto parts = split(*text, ':');
  if (may_be_container && parts.size() > 1 && parts[0] == "container") {
    out.in_stack = false;
    parts.erase(parts.begin());
  }
  bool well_formed = parts.size() <= 2 && std::ranges::none_of(parts, [](const auto& part) { return part.empty(); });
  if (!well_formed) {
    value.invalid(fmt::format("'{}' is not a name with at most one ':' behind it", *text));
    return std::nullopt;
  }
  out.name = parts[0];
  if (parts.size() == 2) out.detail = parts[1];
  return out;
}

void add_link(const Value& value, ServiceDraft& draft, bool in_stack) {
  auto named = parse_named(value, false);
  if (!named) return;
  if (in_stack) draft.service.depends_on.try_emplace(named->name, Dependency{.restart = true});
  draft.service.links.push_back({named->name, named->detail, in_stack});
}

template <class Add>
void each_item(const Value& value, Add add) {
  if (!value.node().is_sequence()) return value.wrong_type("a list");
  for (std::size_t i = 0; i < value.node().items.size(); ++i) add(value.at(i));
}

constexpr Key<DeviceMapping> kDeviceKeys[] = {
    {"source", into<&DeviceMapping::source>},
    {"target", into<&DeviceMapping::target>},
    {"permissions", into<&DeviceMapping::permissions>},
};

void add_device(const Value& value, ServiceDraft& draft) {
  DeviceMapping device;
  if (value.node().is_mapping()) {
    if (!read_keys<DeviceMapping>(value, kDeviceKeys, device)) return;
  } else if (auto text = value.string()) {
    auto parts = split(*text, ':');
    if (parts.size() > 3) return value.invalid(fmt::format("'{}' is not DEVICE[:TARGET[:rwm]]", *text));
    device.source = parts[0];
    if (parts.size() > 1) device.target = parts[1];
    if (parts.size() > 2) device.permissions = parts[2];
  }
  bool by_name = !device.source.starts_with('/') && device.source.find('=') != std::string::npos;
  if (!by_name && (!device.source.starts_with('/') || (!device.target.empty() && !device.target.starts_with('/'))))
    return value.invalid(fmt::format("'{}' is not the path of a device", device.source));
  if (device.permissions.empty() || device.permissions.find_first_not_of("rwm") != std::string::npos)
    return value.invalid(fmt::format("'{}' are not permissions: of r, w and m", device.permissions));
  draft.service.devices.push_back(std::move(device));
}

struct RateDraft {
  DeviceRate rate;
};
constexpr Key<RateDraft> kRateKeys[] = {
    {"path", into<&RateDraft::rate, &DeviceRate::path>},
    {"rate", [](const Value& value, RateDraft& draft) { value.read_bytes(draft.rate.value); }},
};
constexpr Key<RateDraft> kWeightKeys[] = {
    {"path", into<&RateDraft::rate, &DeviceRate::path>},
    {"weight", into<&RateDraft::rate, &DeviceRate::value>},
};

template <const auto& Keys, auto Member>
void read_rates(const Value& value, BlockIo& io) {
  each_item(value, [&](const Value& item) {
    RateDraft draft;
    if (!read_keys<RateDraft>(item, Keys, draft)) return;
    if (!draft.rate.path.starts_with('/')) return item.invalid("the key 'path' must name a device");
    (io.*Member).push_back(draft.rate);
  });
}

constexpr Key<BlockIo> kBlockIoKeys[] = {
    {"weight", into<&BlockIo::weight>},
    {"weight_device", read_rates<kWeightKeys, &BlockIo::weights>},
    {"device_read_bps", read_rates<kRateKeys, &BlockIo::read_bps>},
    {"device_write_bps", read_rates<kRateKeys, &BlockIo::write_bps>},
    {"device_read_iops", read_rates<kRateKeys, &BlockIo::read_iops>},
    {"device_write_iops", read_rates<kRateKeys, &BlockIo::write_iops>},
};

}  // namespace

void read_network_mode(const Value& value, ServiceDraft& draft) {
  auto mode = value.string();
  if (!mode) return;
  draft.network_mode = *mode;
  auto share = parse_share(*mode, draft);
  if (*mode == "none") {
    draft.service.network_mode = NetworkMode::none;
  } else if (*mode == "host") {
    draft.service.network_mode = NetworkMode::host;
  } else if (share && !share->name.empty()) {
    draft.service.network_mode = NetworkMode::shared;
    draft.service.sharing.network = *share;
  } else if (*mode == "bridge") {
    draft.service.network_mode = NetworkMode::networks;
    value.warn("'bridge' is the stack's default network here");
  } else {
    value.invalid(fmt::format("unknown network mode '{}': expected none, host, service:NAME or container:NAME", *mode));
  }
}

void read_pid(const Value& value, ServiceDraft& draft) {
  using enum ShareMode;
  static const ShareKey kKey{&Sharing::pid, {host, service, container}, "host, service:NAME or container:NAME"};
  read_share(value, draft, kKey);
}

void read_ipc(const Value& value, ServiceDraft& draft) {
  using enum ShareMode;
  static const ShareKey kKey{&Sharing::ipc,
                             {private_, shareable, none, host, service, container},
                             "private, shareable, none, host, service:NAME or container:NAME"};
  read_share(value, draft, kKey);
}

void read_uts(const Value& value, ServiceDraft& draft) {
  static const ShareKey kKey{&Sharing::uts, {ShareMode::host}, "host"};
  read_share(value, draft, kKey);
}

void read_cgroup(const Value& value, ServiceDraft& draft) {
  static const ShareKey kKey{&Sharing::cgroup, {ShareMode::private_, ShareMode::host}, "private or host"};
  read_share(value, draft, kKey);
}

void read_links(const Value& value, ServiceDraft& draft) {
  each_item(value, [&](const Value& item) { add_link(item, draft, true); });
}

void read_external_links(const Value& value, ServiceDraft& draft) {
  each_item(value, [&](const Value& item) { add_link(item, draft, false); });
}

void read_volumes_from(const Value& value, ServiceDraft& draft) {
  each_item(value, [&](const Value& item) {
    auto named = parse_named(item, true);
    if (!named) return;
    if (!named->detail.empty() && named->detail != "ro" && named->detail != "rw")
      return item.invalid(fmt::format("'{}' is neither ro nor rw", named->detail));
    if (named->in_stack) draft.service.depends_on.try_emplace(named->name, Dependency{.restart = true});
    draft.service.volumes_from.push_back({named->name, named->detail == "ro", named->in_stack});
  });
}

void read_devices(const Value& value, ServiceDraft& draft) {
  each_item(value, [&](const Value& item) { add_device(item, draft); });
}

void read_block_io(const Value& value, ServiceDraft& draft) {
  BlockIo io;
  if (read_keys<BlockIo>(value, kBlockIoKeys, io)) draft.service.block_io = std::move(io);
}

}  // namespace gantry::compose
