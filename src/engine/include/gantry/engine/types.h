#pragma once

#include <boost/describe.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gantry/base/ids.h"
#include "gantry/base/time.h"
#include "gantry/base/usage.h"

/// The words in which every front (v1, later docker and cri) talks to the engine. All types are described, so they
/// are stored, sent and shown as JSON without further code.
namespace gantry::engine {

enum class MountType { bind, volume, tmpfs };
BOOST_DESCRIBE_ENUM(MountType, bind, volume, tmpfs)

/// Which mounts made later, on the host or in the container, the other side sees; with r: below the mount as well.
enum class Propagation { rprivate, private_, rshared, shared, rslave, slave };
BOOST_DESCRIBE_ENUM(Propagation, rprivate, private_, rshared, shared, rslave, slave)

struct Mount {
  MountType type = MountType::volume;
  std::string source;  ///< bind: absolute host path; volume: its name, empty for anonymous; tmpfs: unused
  std::string target;  ///< absolute path in the container
  bool read_only = false;
  bool create_source = false;               ///< bind: make the directory when it is not there (compose short form)
  bool no_copy = false;                     ///< volume: do not fill a new volume from the image
  std::optional<std::uint64_t> tmpfs_size;  ///< bytes
  std::optional<std::uint32_t> tmpfs_mode;  ///< permission bits
  std::optional<std::uint32_t> tmpfs_uid;   ///< in the container
  std::optional<std::uint32_t> tmpfs_gid;
  std::vector<std::string> options;                   ///< tmpfs: further ones of mount(8): "exec", "nr_inodes=100"
  Propagation propagation = Propagation::rprivate;    ///< bind
  bool recursive = true;                              ///< bind: with the mounts below the source
  bool read_only_recursive = true;                    ///< bind: when it is read-only, these are, too
  std::string subpath;                                ///< volume: the directory of it that is mounted; must be there
  bool anonymous = false;                             ///< volume: one with a name, and yet to go with the container
  std::map<std::string, std::string> volume_labels;   ///< of a volume that is made for this mount
  std::map<std::string, std::string> volume_options;  ///< the same, for its driver: "type", "o", "device"
  /// volume: filled with a copy of `image_path` in this image, whatever the container's own has; goes with the container
  std::string image;
  std::string image_path;
};
BOOST_DESCRIBE_STRUCT(Mount, (),
                      (type, source, target, read_only, create_source, no_copy, tmpfs_size, tmpfs_mode, tmpfs_uid,
                       tmpfs_gid, options, propagation, recursive, read_only_recursive, subpath, anonymous,
                       volume_labels, volume_options, image, image_path))

struct NetworkAttachment {
  std::string network;               ///< name or id
  std::vector<std::string> aliases;  ///< further names other containers of the network find it by
  std::optional<std::string> ipv4;   ///< a wanted address
  std::optional<std::string> ipv6;
  std::optional<std::string> mac;  ///< a wanted hardware address, "02:42:ac:11:00:02"
  int gateway_priority = 0;        ///< the network with the highest is the way out; of equal ones the first
  std::string interface;           ///< its name in the container; empty: eth and a number
  std::map<std::string, std::string> driver_options;  ///< kept for who asks
};
BOOST_DESCRIBE_STRUCT(NetworkAttachment, (),
                      (network, aliases, ipv4, ipv6, mac, gateway_priority, interface, driver_options))

enum class Protocol { tcp, udp };
BOOST_DESCRIBE_ENUM(Protocol, tcp, udp)

/// As the host address of a port: all of them, IPv4 and IPv6.
inline constexpr char kEveryAddress[] = "*";

struct PortBinding {
  std::string host_ip;          ///< empty: what the daemon is set to; in what is published: every address
  std::uint16_t host_port = 0;  ///< 0: a free one is chosen
  std::uint16_t container_port = 0;
  Protocol protocol = Protocol::tcp;
  std::uint16_t host_port_end = 0;  ///< not 0: the first free one from `host_port` to this
};
BOOST_DESCRIBE_STRUCT(PortBinding, (), (host_ip, host_port, container_port, protocol, host_port_end))

enum class RestartMode { no, always, on_failure, unless_stopped };
BOOST_DESCRIBE_ENUM(RestartMode, no, always, on_failure, unless_stopped)

struct RestartPolicy {
  RestartMode mode = RestartMode::no;
  int max_retries = 0;  ///< on_failure only; 0: without limit
};
BOOST_DESCRIBE_STRUCT(RestartPolicy, (), (mode, max_retries))

struct HealthCheck {
  std::vector<std::string> test;  ///< argv; empty with `shell` empty: no check
  std::string shell;              ///< run with the image's shell (/bin/sh -c)
  Duration interval = std::chrono::seconds(30);
  Duration timeout = std::chrono::seconds(30);
  Duration start_period{};
  Duration start_interval = std::chrono::seconds(5);
  int retries = 3;
  bool disable = false;  ///< also switches off the image's own check
};
BOOST_DESCRIBE_STRUCT(HealthCheck, (), (test, shell, interval, timeout, start_period, start_interval, retries, disable))

/// A weight (10 to 1000), or a limit in bytes or operations a second, of one block device.
struct DeviceLimit {
  std::string path;  ///< of the device on the host
  std::uint64_t value = 0;
};
BOOST_DESCRIBE_STRUCT(DeviceLimit, (), (path, value))

struct BlockIo {
  std::optional<std::uint16_t> weight;  ///< 10 to 1000
  std::vector<DeviceLimit> weights;
  std::vector<DeviceLimit> read_bps, write_bps;    ///< bytes a second
  std::vector<DeviceLimit> read_iops, write_iops;  ///< operations a second
};
BOOST_DESCRIBE_STRUCT(BlockIo, (), (weight, weights, read_bps, write_bps, read_iops, write_iops))

struct Resources {
  std::optional<std::uint64_t> memory;       ///< bytes
  std::optional<std::uint64_t> memory_swap;  ///< bytes, memory and swap together; kUnlimited
  std::optional<std::uint64_t> memory_reservation;
  std::optional<double> cpus;
  std::optional<std::uint64_t> cpu_shares;  ///< version 1 scale, 1024 is one share
  std::optional<std::string> cpuset;
  std::optional<std::int64_t> pids;
  std::optional<std::uint64_t> shm_size;    ///< bytes, default 64 MiB
  std::optional<std::int64_t> cpu_quota;    ///< microseconds of each period; -1: no limit. Not together with `cpus`
  std::optional<std::uint64_t> cpu_period;  ///< microseconds, 1000 to 1000000; 100000 when unset
  std::optional<std::int64_t> cpu_realtime_runtime;  ///< refused: no kernel a distribution ships has it
  std::optional<std::uint64_t> cpu_realtime_period;
  std::optional<std::string> cpuset_mems;
  std::optional<std::uint32_t> memory_swappiness;  ///< 0 to 100; cgroup version 1 only, ignored with a warning else
  std::optional<bool> oom_kill_disable;            ///< the same
  std::optional<int> oom_score_adj;                ///< -1000 to 1000; as low as the machine allows
  std::optional<BlockIo> block_io;
};
BOOST_DESCRIBE_STRUCT(Resources, (),
                      (memory, memory_swap, memory_reservation, cpus, cpu_shares, cpuset, pids, shm_size, cpu_quota,
                       cpu_period, cpu_realtime_runtime, cpu_realtime_period, cpuset_mems, memory_swappiness,
                       oom_kill_disable, oom_score_adj, block_io))

/// Where there is a number for it: of limits (RLIM_INFINITY), and of memory_swap.
inline constexpr std::uint64_t kUnlimited = ~std::uint64_t{0};

struct Ulimit {
  std::string name;        ///< nofile, nproc, ... (without RLIMIT_)
  std::uint64_t soft = 0;  ///< kUnlimited
  std::uint64_t hard = 0;
};
BOOST_DESCRIBE_STRUCT(Ulimit, (), (name, soft, hard))

enum class UserNamespace { private_, host };
BOOST_DESCRIBE_ENUM(UserNamespace, private_, host)
enum class Seccomp { default_, unconfined };
BOOST_DESCRIBE_ENUM(Seccomp, default_, unconfined)

/// Isolation. The defaults are the safe ones; every opt-out is one of these members, and `opt_outs` names them.
struct Security {
  UserNamespace user_namespace = UserNamespace::private_;
  Seccomp seccomp = Seccomp::default_;
  bool no_new_privileges = true;
  bool privileged = false;  ///< all capabilities, host user namespace, no seccomp, nothing masked, all devices
  bool unmask_paths = false;
  std::vector<std::string> cap_add;  ///< "NET_ADMIN", "ALL"; with or without CAP_
  std::vector<std::string> cap_drop;
  std::string seccomp_profile;       ///< the text of a profile in Docker's JSON format; empty: the built-in one
  std::string apparmor;              ///< a profile's name, or "unconfined"
  std::vector<std::string> selinux;  ///< "user:...", "type:...", "disable"
  std::optional<std::vector<std::string>> masked_paths;    ///< instead of the default ones
  std::optional<std::vector<std::string>> readonly_paths;  ///< the same
};
BOOST_DESCRIBE_STRUCT(Security, (),
                      (user_namespace, seccomp, no_new_privileges, privileged, unmask_paths, cap_add, cap_drop,
                       seccomp_profile, apparmor, selinux, masked_paths, readonly_paths))

inline constexpr char kUnconfined[] = "unconfined";  ///< as a profile's name: none

/// Whose namespace it is. `shareable` and `none` are for ipc only: one that others may join, and one without /dev/shm.
enum class NamespaceMode { private_, host, container, shareable, none };
BOOST_DESCRIBE_ENUM(NamespaceMode, private_, host, container, shareable, none)

struct Namespace {
  NamespaceMode mode = NamespaceMode::private_;
  /// container: whose; name or id when asked for, the id from then on. It must run when this container starts. Whoever
  /// joins a container shares its user namespace, too.
  std::string container;
};
BOOST_DESCRIBE_STRUCT(Namespace, (), (mode, container))

/// Those with a mode of their own. What is the host's needs the host's user namespace as well, and `isolation_off` says
/// both. The network: no namespace of its own means neither `networks` nor `ports`.
struct Namespaces {
  std::optional<Namespace> network;  ///< private, host, container; loopback only is `no_network`
  std::optional<Namespace> pid;      ///< private, host, container
  std::optional<Namespace> ipc;      ///< all; unset: private, which nobody may join
  std::optional<Namespace> uts;      ///< private, host
  std::optional<Namespace> cgroup;   ///< private, host
};
BOOST_DESCRIBE_STRUCT(Namespaces, (), (network, pid, ipc, uts, cgroup))

struct Device {
  std::string source;  ///< on the host: a device, or a directory whose devices are meant
  std::string target;  ///< in the container; empty: the same
  std::string access = "rwm";
};
BOOST_DESCRIBE_STRUCT(Device, (), (source, target, access))

/// A name for another container, by the old way of links.
struct Link {
  std::string container;  ///< name or id
  std::string alias;      ///< empty: its name
};
BOOST_DESCRIBE_STRUCT(Link, (), (container, alias))

/// The mounts of another container, but for those on places that have one.
struct VolumesFrom {
  std::string container;
  bool read_only = false;
};
BOOST_DESCRIBE_STRUCT(VolumesFrom, (), (container, read_only))

/// What becomes of what a container writes. `json-file` and `local` keep it in files of our own; `syslog`, `gelf` and
/// `fluentd` keep it there, too, and send it on from there, so that a receiver that is away holds up nobody and loses
/// only what has been rotated away meanwhile. `none` keeps nothing.
struct LogOptions {
  std::uint64_t max_size = 10u << 20;  ///< bytes of one file
  int max_files = 3;
  std::string driver = "json-file";
  std::map<std::string, std::string> options;  ///< the driver's, by Docker's names: "tag", "labels", "gelf-address"
  /// All of these as somebody wrote them ("max-size": "10k"), for who asks; means nothing.
  std::map<std::string, std::string> written;
};
BOOST_DESCRIBE_STRUCT(LogOptions, (), (max_size, max_files, driver, options, written))

/// What a user asked for. After create only `rename` and `update` change it. Unset members are taken from the image.
struct ContainerSpec {
  std::string name;  ///< empty: generated
  std::string project = "default";
  std::string image;  ///< reference as asked for
  std::optional<std::vector<std::string>> entrypoint;
  std::optional<std::vector<std::string>> command;
  std::vector<std::string> environment;  ///< KEY=VALUE, on top of the image's
  std::string user;
  std::string working_dir;
  std::string hostname;  ///< empty: the short id
  std::map<std::string, std::string> labels;
  bool tty = false;
  bool open_stdin = false;
  bool stdin_once = false;  ///< the end of the first attached client's input is the end of the program's
  bool init = false;        ///< catatonit as PID 1
  bool read_only = false;
  bool auto_remove = false;
  std::vector<Mount> mounts;
  std::vector<NetworkAttachment> networks;  ///< empty: the network `default`
  bool no_network = false;                  ///< loopback only
  std::vector<PortBinding> ports;
  std::vector<std::string> extra_hosts;  ///< "name:address"; the address "host-gateway" is the host's
  std::vector<std::string> dns;
  RestartPolicy restart;
  std::optional<HealthCheck> health;
  std::optional<std::string> stop_signal;  ///< "SIGTERM", "15"
  std::optional<Duration> stop_grace;      ///< default 10 s
  Resources resources;
  std::vector<Ulimit> ulimits;
  std::map<std::string, std::string> sysctls;
  Security security;
  LogOptions log;
  std::string runtime;  ///< who launches it: "native", "crun", or empty for the first of them
  Namespaces namespaces;
  std::vector<Device> devices;
  std::vector<std::string> device_rules;  ///< of the devices control group: "c 13:* rw"
  std::vector<std::string> cdi_devices;   ///< "vendor.com/class=name"
  std::vector<std::string> group_add;     ///< names of the image's groups, or numbers
  std::string domain_name;
  std::vector<std::string> dns_search;  ///< "." alone: no search domain
  std::vector<std::string> dns_options;
  std::vector<Link> links;
  std::vector<VolumesFrom> volumes_from;
  std::vector<std::string> exposed_ports;              ///< "80", "53/udp"; on top of the image's
  bool publish_all = false;                            ///< each exposed port on a free one of the host
  std::map<std::string, std::string> annotations;      ///< for the OCI runtime
  std::map<std::string, std::string> storage_options;  ///< refused, with the reason
};
BOOST_DESCRIBE_STRUCT(ContainerSpec, (),
                      (name, project, image, entrypoint, command, environment, user, working_dir, hostname, labels, tty,
                       open_stdin, stdin_once, init, read_only, auto_remove, mounts, networks, no_network, ports,
                       extra_hosts, dns, restart, health, stop_signal, stop_grace, resources, ulimits, sysctls,
                       security, log, runtime, namespaces, devices, device_rules, cdi_devices, group_add, domain_name,
                       dns_search, dns_options, links, volumes_from, exposed_ports, publish_all, annotations,
                       storage_options))
/// What of the default isolation is switched off, for `inspect` and `ps`: "userns=host", "cap_add=NET_ADMIN", ...
std::vector<std::string> opt_outs(const ContainerSpec& spec);

/// `paused`: the program is there, and none of its processes runs until it is unpaused.
enum class State { created, starting, running, paused, stopping, restarting, exited, removing };
BOOST_DESCRIBE_ENUM(State, created, starting, running, paused, stopping, restarting, exited, removing)
enum class Health { none, starting, healthy, unhealthy };
BOOST_DESCRIBE_ENUM(Health, none, starting, healthy, unhealthy)

struct NetworkAddress {
  std::string network;
  std::string ipv4;  ///< without prefix; empty while not running
  std::string ipv6;
  std::string gateway;
  std::string mac;
  std::vector<std::string> aliases;
  NetworkId network_id;
  std::string endpoint_id;  ///< 64 hexadecimal digits
  std::string gateway6;
  int prefix4 = 0;
  int prefix6 = 0;
};
BOOST_DESCRIBE_STRUCT(NetworkAddress, (),
                      (network, ipv4, ipv6, gateway, mac, aliases, network_id, endpoint_id, gateway6, prefix4, prefix6))

struct HealthResult {
  Timestamp started{};
  Timestamp ended{};
  int exit_code = 0;
  std::string output;  ///< the first 4096 bytes
};
BOOST_DESCRIBE_STRUCT(HealthResult, (), (started, ended, exit_code, output))

struct ContainerInfo {
  ContainerId id;
  ContainerSpec spec;
  std::string image_id;
  State state = State::created;
  std::int64_t pid = 0;  ///< 0: not running
  int exit_code = 0;
  bool oom_killed = false;
  std::string error;  ///< why the last start failed
  Timestamp created{};
  std::optional<Timestamp> started;
  std::optional<Timestamp> finished;
  int restart_count = 0;
  Health health = Health::none;
  int health_failures = 0;
  std::vector<HealthResult> health_log;  ///< the last five
  std::vector<NetworkAddress> addresses;
  std::vector<PortBinding> ports;          ///< as published, with the chosen host ports
  std::vector<std::string> argv;           ///< what is run: entrypoint and command together
  std::vector<std::string> isolation_off;  ///< see opt_outs
  bool stopped_by_user = false;
  std::string launcher;         ///< who launched it last: "native" or "crun"
  std::string launcher_reason;  ///< why it was crun although nobody asked for it
  /// Set once it has been connected or disconnected: see attachments_of.
  std::optional<std::vector<NetworkAttachment>> networks;
};
BOOST_DESCRIBE_STRUCT(ContainerInfo, (),
                      (id, spec, image_id, state, pid, exit_code, oom_killed, error, created, started, finished,
                       restart_count, health, health_failures, health_log, addresses, ports, argv, isolation_off,
                       stopped_by_user, launcher, launcher_reason, networks))
/// The networks it is on, or will be when it starts: those of its spec, unless it was connected or disconnected since.
std::vector<NetworkAttachment> attachments_of(const ContainerInfo& info);

/// What a container is made of once its image's defaults are put in, and where its files are on the host.
struct ContainerDetails {
  std::vector<std::string> argv;  ///< entrypoint and command together
  std::vector<std::string> entrypoint;
  std::vector<std::string> command;
  std::vector<std::string> environment;
  std::string user;
  std::string working_dir;
  std::string hostname;
  std::optional<HealthCheck> health;
  std::vector<Mount> mounts;               ///< with the image's volumes; every volume has its name
  std::vector<std::string> exposed_ports;  ///< "80/tcp"
  std::string hosts_path, hostname_path, resolv_conf_path, log_path, upper_path;
  std::vector<std::string> execs;  ///< ids of those that run
  std::map<std::string, std::string> log_details;  ///< labels and variables its log options name
};

/// A moment of a container's last start.
struct StartStep {
  std::string name;              ///< of what begins at that moment, or, from the shim, of what is done
  std::int64_t at_micros = 0;    ///< since the start was asked for
  std::int64_t took_micros = 0;  ///< since the step before
};
BOOST_DESCRIBE_STRUCT(StartStep, (), (name, at_micros, took_micros))

/// Labels the platform sets and every front can filter by.
inline constexpr char kStackLabel[] = "gantry.stack";
inline constexpr char kServiceLabel[] = "gantry.service";
inline constexpr char kReplicaLabel[] = "gantry.replica";
inline constexpr char kReleaseLabel[] = "gantry.release";
inline constexpr char kConfigHashLabel[] = "gantry.config-hash";
inline constexpr char kMountLabel[] = "gantry.mount";  ///< on anonymous volumes of a stack: where they are mounted
inline constexpr char kBuildLabel[] = "gantry.build";  ///< on the containers of a build
/// The network of containers that name none; made when the first one starts.
inline constexpr char kDefaultNetwork[] = "default";

struct ContainerFilter {
  bool all = true;                            ///< false: running ones only
  std::vector<std::string> names;             ///< any of them: name, id or id prefix
  std::map<std::string, std::string> labels;  ///< all of them; an empty value matches any
  std::optional<State> state;
  bool build_steps = false;  ///< with the containers of running builds
};

struct Event {
  std::int64_t sequence = 0;  ///< grows by one; survives restarts
  Timestamp time{};
  std::string type;    ///< container, image, network, volume, stack
  std::string action;  ///< create, start, die, stop, kill, oom, health_status, restart, destroy, ...
  std::string id;
  std::string name;
  std::map<std::string, std::string> attributes;
};
BOOST_DESCRIBE_STRUCT(Event, (), (sequence, time, type, action, id, name, attributes))

struct ExecSpec {
  std::vector<std::string> argv;
  std::vector<std::string> environment;
  std::string user;
  std::string working_dir;
  bool tty = false;
  bool stdin_open = false;
  bool privileged = false;
  // Remembered for the front that starts it.
  bool attach_out = true;
  bool attach_err = true;
  std::string detach_keys;
  std::uint16_t rows = 0;  ///< of its terminal at the start; 0: whatever it has
  std::uint16_t columns = 0;
};
BOOST_DESCRIBE_STRUCT(ExecSpec, (),
                      (argv, environment, user, working_dir, tty, stdin_open, privileged, attach_out, attach_err,
                       detach_keys, rows, columns))

struct ExecInfo {
  ExecId id;
  ContainerId container;
  ExecSpec spec;
  bool running = false;
  std::optional<int> exit_code;
  std::int64_t pid = 0;  ///< on the host; 0 where it is not known
};
BOOST_DESCRIBE_STRUCT(ExecInfo, (), (id, container, spec, running, exit_code, pid))

enum class ChangeKind { modified, added, deleted };
BOOST_DESCRIBE_ENUM(ChangeKind, modified, added, deleted)

/// Of a path in a container's root file system, against its image.
struct Change {
  ChangeKind kind = ChangeKind::modified;
  std::string path;
};
BOOST_DESCRIBE_STRUCT(Change, (), (kind, path))

struct TerminalSize {
  std::uint16_t rows = 24;
  std::uint16_t columns = 80;
};
BOOST_DESCRIBE_STRUCT(TerminalSize, (), (rows, columns))

enum class WaitCondition { not_running, next_exit, removed };
BOOST_DESCRIBE_ENUM(WaitCondition, not_running, next_exit, removed)

struct RemoveOptions {
  bool force = false;    ///< kill it first
  bool volumes = false;  ///< with its anonymous volumes
};

/// What `update` changes: members that are set; the rest stays.
struct ContainerUpdate {
  Resources resources;
  std::optional<RestartPolicy> restart;
};
BOOST_DESCRIBE_STRUCT(ContainerUpdate, (), (resources, restart))

using Stats = Usage;

}  // namespace gantry::engine
