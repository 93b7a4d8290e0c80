#include <algorithm>
#include <charconv>
#include <thread>

#include "create.h"
#include "gantry/base/error.h"
#include "gantry/base/text.h"
#include "routes.h"

namespace gantry::api::docker {
namespace {

using engine::ContainerSpec;
using engine::Namespace;
using engine::NamespaceMode;

std::optional<engine::Propagation> propagation(std::string_view word) {
  using engine::Propagation;
  if (word == "rprivate") return Propagation::rprivate;
  if (word == "private") return Propagation::private_;
  if (word == "rshared") return Propagation::rshared;
  if (word == "shared") return Propagation::shared;
  if (word == "rslave") return Propagation::rslave;
  if (word == "slave") return Propagation::slave;
  return std::nullopt;
}

/// "host", "container:x", "private" and so on of a mode member; nullopt when it is not given.
std::optional<Namespace> read_namespace(const Body& host, std::string_view key, std::vector<std::string_view> allowed) {
  auto mode = host.text(key);
  if (mode.empty()) return std::nullopt;
  auto colon = mode.find(':');
  auto word = mode.substr(0, colon);
  if (std::ranges::find(allowed, word) == allowed.end() || (word == "container") != (colon != std::string::npos))
    throw Error(ErrorKind::invalid, "invalid " + std::string(key) + ": " + mode);
  if (word == "container") {
    auto container = mode.substr(colon + 1);
    if (container.empty()) throw Error(ErrorKind::invalid, "invalid " + std::string(key) + ": " + mode);
    return Namespace{NamespaceMode::container, container};
  }
  if (word == "host") return Namespace{NamespaceMode::host, {}};
  if (word == "shareable") return Namespace{NamespaceMode::shareable, {}};
  if (word == "none") return Namespace{NamespaceMode::none, {}};
  return Namespace{};
}

void read_namespaces(const Body& host, ContainerSpec* spec) {
  auto mode = host.text("NetworkMode");
  if (mode == "none") {
    spec->no_network = true;
  } else if (mode == "host" || mode.starts_with("container:")) {
    spec->namespaces.network = read_namespace(host, "NetworkMode", {"host", "container"});
  } else if (!mode.empty() && mode != "default" && mode != kBridge) {
    spec->networks = {{.network = mode}};
  }
  spec->namespaces.pid = read_namespace(host, "PidMode", {"host", "container", "private"});
  spec->namespaces.ipc = read_namespace(host, "IpcMode", {"host", "container", "private", "shareable", "none"});
  spec->namespaces.uts = read_namespace(host, "UTSMode", {"host", "private"});
  spec->namespaces.cgroup = read_namespace(host, "CgroupnsMode", {"host", "private"});
  auto userns = host.text("UsernsMode");
  if (userns == "host") {
    spec->security.user_namespace = engine::UserNamespace::host;
  } else if (!userns.empty() && userns != "private") {
    throw Error(ErrorKind::invalid, "invalid userns mode: " + userns);
  }
}

void read_security(const Body& host, ContainerSpec* spec) {
  auto& security = spec->security;
  security.privileged = host.flag("Privileged");
  security.cap_add = host.strings("CapAdd");
  security.cap_drop = host.strings("CapDrop");
  for (const auto& option : host.strings("SecurityOpt")) {
    // "key=value", and the older "key:value".
    auto at = option.find('=');
    if (at == std::string::npos) at = option.find(':');
    auto key = option.substr(0, at);
    auto value = at == std::string::npos ? std::string() : option.substr(at + 1);
    if (key == "no-new-privileges") {
      security.no_new_privileges = value.empty() || value == "true" || value == "1";
    } else if (key == "seccomp" && value == "unconfined") {
      security.seccomp = engine::Seccomp::unconfined;
    } else if (key == "seccomp" && value == "builtin") {
      security.seccomp = engine::Seccomp::default_;
    } else if (key == "seccomp") {
      security.seccomp_profile = value;
    } else if (key == "apparmor") {
      security.apparmor = value;
    } else if (key == "label") {
      security.selinux.push_back(value);
    } else if (key == "systempaths" && value == "unconfined") {
      security.unmask_paths = true;
    } else {
      throw Error(ErrorKind::invalid, "invalid --security-opt: \"" + option + "\"");
    }
  }
  if (host.has("MaskedPaths") && !security.unmask_paths) security.masked_paths = host.strings("MaskedPaths");
  if (host.has("ReadonlyPaths") && !security.unmask_paths) security.readonly_paths = host.strings("ReadonlyPaths");
}

void read_tmpfs_options(const std::string& text, engine::Mount* mount) {
  for (const auto& option : split(text, ',')) {
    auto equals = option.find('=');
    auto key = option.substr(0, equals);
    auto value = equals == std::string::npos ? std::string() : option.substr(equals + 1);
    auto number = [&](int base) {
      std::uint32_t out = 0;
      auto [end, failed] = std::from_chars(value.data(), value.data() + value.size(), out, base);
      if (failed != std::errc() || end != value.data() + value.size())
        throw Error(ErrorKind::invalid, "invalid tmpfs option: " + option);
      return out;
    };
    if (key == "size") {
      auto size = parse_bytes(value);
      if (!size) throw Error(ErrorKind::invalid, "invalid tmpfs option: " + option);
      mount->tmpfs_size = *size;
    } else if (key == "mode") {
      mount->tmpfs_mode = number(8);
    } else if (key == "uid") {
      mount->tmpfs_uid = number(10);
    } else if (key == "gid") {
      mount->tmpfs_gid = number(10);
    } else if (key == "ro") {
      mount->read_only = true;
    } else if (!key.empty() && key != "rw") {
      mount->options.push_back(option);
    }
  }
}

engine::Mount read_mount(const Body& given) {
  engine::Mount mount;
  auto type = given.text("Type");
  mount.source = given.text("Source");
  mount.target = given.text("Target");
  mount.read_only = given.flag("ReadOnly");
  if (mount.target.empty())
    throw Error(ErrorKind::invalid, "invalid mount config for type \"" + type + "\": field Target must not be empty");
  if (type == "bind") {
    mount.type = engine::MountType::bind;
    if (mount.source.empty())
      throw Error(ErrorKind::invalid, "invalid mount config for type \"bind\": field Source must not be empty");
    auto options = given.object("BindOptions");
    auto word = options.text("Propagation");
    if (!word.empty()) {
      auto chosen = propagation(word);
      if (!chosen)
        throw Error(ErrorKind::invalid, "invalid mount config for type \"bind\": invalid propagation mode: " + word);
      mount.propagation = *chosen;
    }
    mount.recursive = !options.flag("NonRecursive");
    mount.read_only_recursive = !options.flag("ReadOnlyNonRecursive");
    mount.create_source = options.flag("CreateMountpoint");
  } else if (type == "volume") {
    auto options = given.object("VolumeOptions");
    mount.no_copy = options.flag("NoCopy");
    mount.subpath = options.text("Subpath");
    mount.volume_labels = options.map("Labels");
    auto driver = options.object("DriverConfig");
    auto driver_name = driver.text("Name");
    if (!driver_name.empty() && driver_name != "local")
      throw Error(ErrorKind::not_found,
                  "error looking up volume plugin " + driver_name + ": plugin \"" + driver_name + "\" not found");
    mount.volume_options = driver.map("Options");
  } else if (type == "tmpfs") {
    mount.type = engine::MountType::tmpfs;
    auto options = given.object("TmpfsOptions");
    if (auto size = options.number("SizeBytes"); size > 0) mount.tmpfs_size = static_cast<std::uint64_t>(size);
    if (auto mode = options.number("Mode"); mode > 0) mount.tmpfs_mode = static_cast<std::uint32_t>(mode);
    if (const auto* list = options.find("Options"); list != nullptr && list->is_array())
      for (const auto& item : list->get_array()) {
        std::string option;
        if (item.is_array())
          for (const auto& part : item.get_array())
            if (part.is_string()) option += (option.empty() ? "" : "=") + std::string(part.get_string());
        read_tmpfs_options(option, &mount);
      }
  } else if (type == "image") {
    if (mount.source.empty())
      throw Error(ErrorKind::invalid, "invalid mount config for type \"image\": field Source must not be empty");
    mount.image = std::exchange(mount.source, {});
    mount.image_path = given.object("ImageOptions").text("Subpath");
    if (!mount.image_path.empty() && mount.image_path.front() != '/') mount.image_path.insert(0, 1, '/');
    mount.anonymous = true;
  } else {
    throw Error(type == "npipe" || type == "cluster" ? ErrorKind::unsupported : ErrorKind::invalid,
                "mount type \"" + type + "\" is unknown or not supported", "use bind, volume, tmpfs or image");
  }
  return mount;
}

void read_mounts(const Body& host, ContainerSpec* spec) {
  std::vector<engine::Mount> mounts;
  auto add = [&](engine::Mount mount) {
    auto same = [&](const engine::Mount& have) { return have.target == mount.target; };
    if (std::ranges::any_of(mounts, same)) throw Error(ErrorKind::invalid, "Duplicate mount point: " + mount.target);
    mounts.push_back(std::move(mount));
  };
  auto driver = host.text("VolumeDriver");
  if (!driver.empty() && driver != "local")
    throw Error(ErrorKind::not_found,
                "error looking up volume plugin " + driver + ": plugin \"" + driver + "\" not found");
  for (const auto& bind : host.strings("Binds")) add(parse_bind(bind));
  for (const auto& mount : host.objects("Mounts")) add(read_mount(mount));
  for (const auto& [target, options] : host.map("Tmpfs")) {
    engine::Mount mount{.type = engine::MountType::tmpfs, .target = target};
    read_tmpfs_options(options, &mount);
    add(std::move(mount));
  }
  // Config.Volumes: anonymous ones, where nothing else is asked for.
  for (auto& anonymous : spec->mounts) {
    auto same = [&](const engine::Mount& have) { return have.target == anonymous.target; };
    if (std::ranges::none_of(mounts, same)) mounts.push_back(anonymous);
  }
  spec->mounts = std::move(mounts);
  for (const auto& from : host.strings("VolumesFrom")) {
    auto parts = split(from, ':');
    if (parts.size() > 2 || parts[0].empty()) throw Error(ErrorKind::invalid, "invalid volumes-from: " + from);
    spec->volumes_from.push_back({parts[0], parts.size() == 2 && parts[1] == "ro"});
  }
}

/// "8000", "8000-8010" or "".
std::pair<std::uint16_t, std::uint16_t> host_ports(const std::string& text) {
  if (text.empty()) return {0, 0};
  auto dash = text.find('-');
  auto first = parse_port(text.substr(0, dash)).first;
  auto last = dash == std::string::npos ? first : parse_port(text.substr(dash + 1)).first;
  if (last < first) throw Error(ErrorKind::invalid, "invalid port range: " + text);
  return {first, last};
}

void read_ports(const Body& host, ContainerSpec* spec) {
  auto bindings = host.object("PortBindings");
  for (const auto& [key, value] : bindings.raw()) {
    auto [port, protocol] = parse_port(std::string(key));
    auto list = bindings.objects(key);
    if (list.empty()) {
      spec->ports.push_back({.host_ip = engine::kEveryAddress, .container_port = port, .protocol = protocol});
      continue;
    }
    for (const auto& one : list) {
      auto [first, last] = host_ports(one.text("HostPort"));
      auto address = one.text("HostIp");
      // Docker promises every address, whatever the daemon's own default is.
      if (address.empty()) address = engine::kEveryAddress;
      spec->ports.push_back({.host_ip = address,
                             .host_port = first,
                             .container_port = port,
                             .protocol = protocol,
                             .host_port_end = last == first ? std::uint16_t{0} : last});
    }
  }
  spec->publish_all = host.flag("PublishAllPorts");
}

/// Sizes of the files are the engine's own words; what else a driver has, it reads itself.
void read_log(const Body& host, ContainerSpec* spec) {
  auto log = host.object("LogConfig");
  if (auto driver = log.text("Type"); !driver.empty()) spec->log.driver = driver;
  spec->log.written = log.map("Config");
  for (const auto& [key, value] : spec->log.written) {
    if (key == "max-size") {
      auto size = parse_bytes(value);
      if (!size || *size == 0) throw Error(ErrorKind::invalid, "invalid log option max-size: " + value);
      spec->log.max_size = *size;
    } else if (key == "max-file") {
      int files = 0;
      auto [end, failed] = std::from_chars(value.data(), value.data() + value.size(), files);
      if (failed != std::errc() || end != value.data() + value.size() || files < 1)
        throw Error(ErrorKind::invalid, "invalid log option max-file: " + value);
      spec->log.max_files = files;
    } else {
      spec->log.options[key] = value;
    }
  }
}

void read_devices(const Body& host, ContainerSpec* spec) {
  for (const auto& device : host.objects("Devices")) {
    engine::Device out{.source = device.text("PathOnHost"), .target = device.text("PathInContainer")};
    if (auto access = device.text("CgroupPermissions"); !access.empty()) out.access = access;
    spec->devices.push_back(std::move(out));
  }
  for (const auto& request : host.objects("DeviceRequests")) {
    auto driver = request.text("Driver");
    if (driver != "cdi")
      throw Error(ErrorKind::unsupported, "could not select device driver \"" + driver + "\" with capabilities",
                  "describe the device as CDI (/etc/cdi) and use --device vendor.com/class=name");
    for (auto& id : request.strings("DeviceIDs")) spec->cdi_devices.push_back(std::move(id));
  }
  spec->device_rules = host.strings("DeviceCgroupRules");
}

std::vector<engine::DeviceLimit> device_limits(const Body& host, std::string_view key, std::string_view value) {
  std::vector<engine::DeviceLimit> out;
  for (const auto& item : host.objects(key)) {
    auto number = item.number(value);
    if (number < 0) throw Error(ErrorKind::invalid, "invalid " + std::string(key) + ": negative " + std::string(value));
    out.push_back({item.text("Path"), static_cast<std::uint64_t>(number)});
  }
  return out;
}

}  // namespace

engine::Mount parse_bind(const std::string& text) {
  auto parts = split(text, ':');
  if (parts.size() < 1 || parts.size() > 3 || parts[0].empty() || (parts.size() > 1 && parts[1].empty()))
    throw Error(ErrorKind::invalid, "invalid volume specification: '" + text + "'");
  engine::Mount mount;
  if (parts.size() == 1) {
    mount.target = parts[0];
  } else {
    mount.source = parts[0];
    mount.target = parts[1];
  }
  if (!mount.target.starts_with('/'))
    throw Error(ErrorKind::invalid, "invalid volume specification: '" + text +
                                        "': invalid mount config for type \"volume\": invalid mount path: '" +
                                        mount.target + "' mount path must be absolute");
  bool bind = mount.source.starts_with('/');
  mount.type = bind ? engine::MountType::bind : engine::MountType::volume;
  mount.create_source = bind;
  for (const auto& option : split(parts.size() == 3 ? parts[2] : "", ',')) {
    if (option == "ro") {
      mount.read_only = true;
    } else if (option == "nocopy") {
      mount.no_copy = true;
    } else if (auto chosen = propagation(option)) {
      mount.propagation = *chosen;
    } else if (!option.empty() && option != "rw" && option != "z" && option != "Z" && option != "cached" &&
               option != "delegated" && option != "consistent" && option != "copy") {
      throw Error(ErrorKind::invalid, "invalid volume specification: '" + text + "': invalid mode: " + parts[2]);
    }
  }
  return mount;
}

std::optional<engine::RestartPolicy> read_restart(const Body& host) {
  auto given = host.object("RestartPolicy");
  auto name = given.text("Name");
  auto retries = given.number("MaximumRetryCount");
  if (name.empty() && !host.has("RestartPolicy")) return std::nullopt;
  engine::RestartPolicy policy;
  if (name == "always") {
    policy.mode = engine::RestartMode::always;
  } else if (name == "unless-stopped") {
    policy.mode = engine::RestartMode::unless_stopped;
  } else if (name == "on-failure") {
    policy.mode = engine::RestartMode::on_failure;
  } else if (!name.empty() && name != "no") {
    throw Error(ErrorKind::invalid, "invalid restart policy: unknown policy '" + name +
                                        "'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'");
  }
  if (retries < 0) throw Error(ErrorKind::invalid, "invalid restart policy: maximum retry count cannot be negative");
  if (retries > 0 && policy.mode != engine::RestartMode::on_failure)
    throw Error(ErrorKind::invalid, "invalid restart policy: maximum retry count can only be used with 'on-failure'");
  policy.max_retries = static_cast<int>(retries);
  return policy;
}

void read_resources(const Body& host, engine::Resources* resources, Limits when) {
  auto positive = [&](std::string_view key, auto* out) {
    auto value = host.number(key);
    if (value > 0) *out = static_cast<typename std::decay_t<decltype(*out)>::value_type>(value);
    return value;
  };
  if (positive("Memory", &resources->memory) < 0)
    throw Error(ErrorKind::invalid, "invalid memory limit: it cannot be negative");
  if (resources->memory && *resources->memory < (6u << 20))
    throw Error(ErrorKind::invalid, "Minimum memory limit allowed is 6MB");
  if (positive("MemorySwap", &resources->memory_swap) == -1) resources->memory_swap = engine::kUnlimited;
  if (when == Limits::at_creation && resources->memory_swap && !resources->memory &&
      *resources->memory_swap != engine::kUnlimited)
    throw Error(ErrorKind::invalid, "You should always set the Memory limit when using Memoryswap limit, see usage");
  positive("MemoryReservation", &resources->memory_reservation);
  auto most = static_cast<std::int64_t>(std::thread::hardware_concurrency());
  if (auto nanos = host.number("NanoCpus"); nanos < 0 || (most > 0 && nanos > most * 1'000'000'000))
    throw Error(ErrorKind::invalid, "range of CPUs is from 0.01 to " + std::to_string(most) +
                                        ".00, as there are only " + std::to_string(most) + " CPUs available");
  if (auto nanos = host.number("NanoCpus"); nanos > 0) resources->cpus = static_cast<double>(nanos) / 1e9;
  positive("CpuShares", &resources->cpu_shares);
  positive("CpuQuota", &resources->cpu_quota);
  positive("CpuPeriod", &resources->cpu_period);
  for (auto [given, what] :
       {std::pair(resources->cpu_period.has_value(), "Period"), std::pair(resources->cpu_quota.has_value(), "Quota")})
    if (resources->cpus && given)
      throw Error(ErrorKind::invalid,
                  std::string("Conflicting options: Nano CPUs and CPU ") + what + " cannot both be set");
  positive("CpuRealtimeRuntime", &resources->cpu_realtime_runtime);
  positive("CpuRealtimePeriod", &resources->cpu_realtime_period);
  if (auto cpus = host.text("CpusetCpus"); !cpus.empty()) resources->cpuset = cpus;
  if (auto mems = host.text("CpusetMems"); !mems.empty()) resources->cpuset_mems = mems;
  if (auto pids = host.integer("PidsLimit"); pids && *pids > 0) resources->pids = *pids;
  if (auto value = host.integer("MemorySwappiness"); value && *value >= 0)
    resources->memory_swappiness = static_cast<std::uint32_t>(*value);
  if (auto disable = host.maybe_flag("OomKillDisable"); disable && *disable) resources->oom_kill_disable = true;
  engine::BlockIo io;
  if (auto weight = host.number("BlkioWeight"); weight > 0) {
    if (weight < 10 || weight > 1000) throw Error(ErrorKind::invalid, "Range of blkio weight is from 10 to 1000");
    io.weight = static_cast<std::uint16_t>(weight);
  }
  io.weights = device_limits(host, "BlkioWeightDevice", "Weight");
  io.read_bps = device_limits(host, "BlkioDeviceReadBps", "Rate");
  io.write_bps = device_limits(host, "BlkioDeviceWriteBps", "Rate");
  io.read_iops = device_limits(host, "BlkioDeviceReadIOps", "Rate");
  io.write_iops = device_limits(host, "BlkioDeviceWriteIOps", "Rate");
  if (io.weight || !io.weights.empty() || !io.read_bps.empty() || !io.write_bps.empty() || !io.read_iops.empty() ||
      !io.write_iops.empty())
    resources->block_io = std::move(io);
}

void read_host_config(const Body& host, ContainerSpec* spec) {
  read_namespaces(host, spec);
  read_security(host, spec);
  read_mounts(host, spec);
  read_ports(host, spec);
  if (const auto& network = spec->namespaces.network) {
    bool asked = !spec->ports.empty() || spec->publish_all;
    if (asked && network->mode == NamespaceMode::container)
      throw Error(ErrorKind::invalid, "conflicting options: port publishing and the container type network mode");
    // On the host's network every port is there already.
    spec->ports.clear();
    spec->publish_all = false;
  }
  read_log(host, spec);
  read_devices(host, spec);
  read_resources(host, &spec->resources);
  // Docker's promise: as much swap again as memory, when nothing is said of it.
  auto& limits = spec->resources;
  if (limits.memory && !limits.memory_swap) limits.memory_swap = *limits.memory * 2;
  if (auto score = host.number("OomScoreAdj"); score != 0) spec->resources.oom_score_adj = static_cast<int>(score);
  if (auto size = host.number("ShmSize"); size > 0) {
    spec->resources.shm_size = static_cast<std::uint64_t>(size);
  } else if (size < 0) {
    throw Error(ErrorKind::invalid, "SHM size can not be less than 0");
  }
  for (const auto& limit : host.objects("Ulimits")) {
    auto bound = [&](std::string_view key) {
      auto value = limit.number(key);
      return value < 0 ? engine::kUnlimited : static_cast<std::uint64_t>(value);
    };
    spec->ulimits.push_back({limit.text("Name"), bound("Soft"), bound("Hard")});
  }
  if (auto restart = read_restart(host)) spec->restart = *restart;
  spec->auto_remove = host.flag("AutoRemove");
  if (spec->auto_remove && spec->restart.mode != engine::RestartMode::no)
    throw Error(ErrorKind::invalid, "can't create 'AutoRemove' container with restart policy");
  spec->read_only = host.flag("ReadonlyRootfs");
  spec->init = host.flag("Init");
  spec->extra_hosts = host.strings("ExtraHosts");
  spec->dns = host.strings("Dns");
  spec->dns_search = host.strings("DnsSearch");
  spec->dns_options = host.strings("DnsOptions");
  spec->group_add = host.strings("GroupAdd");
  spec->sysctls = host.map("Sysctls");
  spec->annotations = host.map("Annotations");
  spec->storage_options = host.map("StorageOpt");
  for (const auto& link : host.strings("Links")) {
    auto parts = split(link, ':');
    if (parts.size() > 2 || parts[0].empty()) throw Error(ErrorKind::invalid, "bad format for links: " + link);
    auto strip = [](std::string name) {
      return name.substr(name.rfind('/') == std::string::npos ? 0 : name.rfind('/') + 1);
    };
    spec->links.push_back({strip(parts[0]), parts.size() == 2 ? strip(parts[1]) : std::string()});
  }
  auto runtime = host.text("Runtime");
  // Docker's name for its default one.
  if (runtime != "runc" && runtime != "io.containerd.runc.v2") spec->runtime = runtime;
  auto isolation = host.text("Isolation");
  if (!isolation.empty() && isolation != "default")
    throw Error(ErrorKind::invalid, "invalid isolation '" + isolation + "' on linux");
  if (auto parent = host.text("CgroupParent"); !parent.empty())
    throw Error(ErrorKind::unsupported, "--cgroup-parent is not supported: groups of containers belong to the daemon's",
                "set limits per container, or run the daemon itself in a slice");
}

}  // namespace gantry::api::docker
