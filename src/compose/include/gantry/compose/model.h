#pragma once

#include <boost/describe.hpp>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gantry/base/time.h"

/// The resolved model of a stack: what is left of compose files when everything has been merged, interpolated,
/// defaulted and checked. Plain values; json::to / stack_from_json carry it over the wire.
namespace gantry::compose {

using StringMap = std::map<std::string, std::string>;

enum class Protocol { tcp, udp };
BOOST_DESCRIBE_ENUM(Protocol, tcp, udp)

/// One published port. Ranges are expanded: one Port per container port.
struct Port {
  std::optional<std::string> host_ip;      ///< IPv4 or IPv6 without brackets; unset: the host's default
  std::optional<std::uint16_t> host_port;  ///< unset: any free port
  std::uint16_t container_port = 0;
  Protocol protocol = Protocol::tcp;
  std::optional<std::uint16_t> host_port_end;  ///< set: the first free port from `host_port` to this
  bool operator==(const Port&) const = default;
};
BOOST_DESCRIBE_STRUCT(Port, (), (host_ip, host_port, container_port, protocol, host_port_end))

enum class MountType { bind, volume, tmpfs };
BOOST_DESCRIBE_ENUM(MountType, bind, volume, tmpfs)

enum class Propagation { rprivate, private_, rshared, shared, rslave, slave };
BOOST_DESCRIBE_ENUM(Propagation, rprivate, private_, rshared, shared, rslave, slave)

/// One mount. Targets are absolute, normalised and unique within a service.
struct Mount {
  MountType type = MountType::volume;
  std::string source;  ///< bind: absolute host path; volume: key in Stack::volumes, empty: anonymous; tmpfs: empty
  std::string target;
  bool read_only = false;
  Propagation propagation = Propagation::rprivate;  ///< bind only
  bool create_host_path = false;                    ///< bind only: a missing source is made as a directory
  bool no_copy = false;                             ///< volume only: do not fill an empty volume from the image
  std::string subpath;                              ///< volume only: this directory inside the volume; empty: its root
  std::optional<std::uint64_t> tmpfs_size;          ///< tmpfs only, bytes
  std::optional<std::uint32_t> tmpfs_mode;          ///< tmpfs only, permission bits
  StringMap tmpfs_options;  ///< tmpfs only: uid, gid, and flags such as exec, noexec with an empty value
  bool operator==(const Mount&) const = default;
};
BOOST_DESCRIBE_STRUCT(Mount, (),
                      (type, source, target, read_only, propagation, create_host_path, no_copy, subpath, tmpfs_size,
                       tmpfs_mode, tmpfs_options))

enum class DependencyCondition { service_started, service_healthy, service_completed_successfully };
BOOST_DESCRIBE_ENUM(DependencyCondition, service_started, service_healthy, service_completed_successfully)

struct Dependency {
  DependencyCondition condition = DependencyCondition::service_started;
  bool required = true;  ///< false: start anyway when the dependency is not there or fails
  bool restart = false;  ///< restart this service when the dependency was recreated or restarted
  bool operator==(const Dependency&) const = default;
};
BOOST_DESCRIBE_STRUCT(Dependency, (), (condition, required, restart))

/// What the file says; unset members come from the image, then from the engine's defaults.
struct HealthCheck {
  bool disable = false;
  std::vector<std::string> test;  ///< {"CMD", argv...} or {"CMD-SHELL", line}; empty: the image's
  std::optional<Duration> interval;
  std::optional<Duration> timeout;
  std::optional<std::uint32_t> retries;
  std::optional<Duration> start_period;
  std::optional<Duration> start_interval;
  bool operator==(const HealthCheck&) const = default;
};
BOOST_DESCRIBE_STRUCT(HealthCheck, (), (disable, test, interval, timeout, retries, start_period, start_interval))

enum class RestartCondition { no, always, on_failure, unless_stopped };
BOOST_DESCRIBE_ENUM(RestartCondition, no, always, on_failure, unless_stopped)

struct RestartPolicy {
  RestartCondition condition = RestartCondition::no;
  std::optional<std::uint32_t> maximum_retries;  ///< on_failure only; unset: no limit
  bool operator==(const RestartPolicy&) const = default;
};
BOOST_DESCRIBE_STRUCT(RestartPolicy, (), (condition, maximum_retries))

/// How a service's image is built. The context lives at the client.
struct Build {
  std::filesystem::path context;     ///< absolute
  std::filesystem::path dockerfile;  ///< absolute; empty when dockerfile_inline is set
  std::optional<std::string> dockerfile_inline;
  StringMap args;
  std::optional<std::string> target;
  StringMap labels;
  std::vector<std::string> tags;  ///< names besides Service::image
  bool no_cache = false;
  bool pull = false;
  StringMap secrets;             ///< id -> file, absolute
  std::vector<std::string> ssh;  ///< "default", "id=socket"
  std::vector<std::string> cache_from, cache_to, no_cache_filter, platforms;
  std::optional<std::string> network;
  std::optional<std::uint64_t> shm_size;  ///< bytes
  bool operator==(const Build&) const = default;
};
BOOST_DESCRIBE_STRUCT(Build, (),
                      (context, dockerfile, dockerfile_inline, args, target, labels, tags, no_cache, pull, secrets, ssh,
                       cache_from, cache_to, no_cache_filter, platforms, network, shm_size))

struct Limits {
  std::optional<std::uint64_t> memory;              ///< bytes
  std::optional<std::uint64_t> memory_reservation;  ///< bytes
  std::optional<std::uint64_t> memory_and_swap;     ///< bytes of both together, at least `memory`
  bool unlimited_swap = false;
  std::optional<double> cpus;
  std::optional<std::uint64_t> cpu_shares;
  std::optional<std::string> cpuset;
  std::optional<std::uint64_t> pids;  ///< unset: the engine's default
  bool unlimited_pids = false;
  std::optional<std::int64_t> cpu_quota;    ///< microseconds
  std::optional<std::uint64_t> cpu_period;  ///< microseconds
  std::optional<std::uint32_t> memory_swappiness;
  std::optional<bool> oom_kill_disable;
  std::optional<std::int32_t> oom_score_adj;
  bool operator==(const Limits&) const = default;
};
BOOST_DESCRIBE_STRUCT(Limits, (),
                      (memory, memory_reservation, memory_and_swap, unlimited_swap, cpus, cpu_shares, cpuset, pids,
                       unlimited_pids, cpu_quota, cpu_period, memory_swappiness, oom_kill_disable, oom_score_adj))

/// Opting out of, or tightening, the isolation that is on by default.
struct Security {
  bool privileged = false;
  bool user_namespace_host = false;  ///< userns_mode: host
  bool seccomp_unconfined = false;
  bool no_new_privileges = true;
  bool read_only = false;             ///< read-only root file system
  std::vector<std::string> cap_add;   ///< upper case without CAP_, sorted; may be {"ALL"}
  std::vector<std::string> cap_drop;  ///< the same
  std::string seccomp_profile;        ///< the profile's text
  std::string apparmor;
  std::vector<std::string> labels;  ///< of SELinux
  bool unmask_paths = false;        ///< systempaths:unconfined
  bool operator==(const Security&) const = default;
};
BOOST_DESCRIBE_STRUCT(Security, (),
                      (privileged, user_namespace_host, seccomp_unconfined, no_new_privileges, read_only, cap_add,
                       cap_drop, seccomp_profile, apparmor, labels, unmask_paths))

struct Ulimit {
  std::optional<std::uint64_t> soft;  ///< unset: unlimited
  std::optional<std::uint64_t> hard;
  bool operator==(const Ulimit&) const = default;
};
BOOST_DESCRIBE_STRUCT(Ulimit, (), (soft, hard))

struct ExtraHost {
  std::string name;
  std::string address;  ///< IPv4 or IPv6 without brackets, or "host-gateway"
  bool operator==(const ExtraHost&) const = default;
};
BOOST_DESCRIBE_STRUCT(ExtraHost, (), (name, address))

/// How a service is attached to a network; the service's own name is always an alias and is not listed.
struct Attachment {
  std::vector<std::string> aliases;
  std::optional<std::string> ipv4_address;
  std::optional<std::string> ipv6_address;
  std::int32_t priority = 0;  ///< the highest carries the default route
  std::optional<std::string> mac_address;
  bool operator==(const Attachment&) const = default;
};
BOOST_DESCRIBE_STRUCT(Attachment, (), (aliases, ipv4_address, ipv6_address, priority, mac_address))

struct Logging {
  std::string driver = "local";           ///< see engine::LogOptions
  std::optional<std::uint64_t> max_size;  ///< bytes
  std::optional<std::uint32_t> max_files;
  std::map<std::string, std::string> options = {};  ///< the driver's own
  bool operator==(const Logging&) const = default;
};
BOOST_DESCRIBE_STRUCT(Logging, (), (driver, max_size, max_files, options))

enum class PullPolicy { missing, always, never, build };
BOOST_DESCRIBE_ENUM(PullPolicy, missing, always, never, build)

/// `networks`: exactly those of Service::networks. The others: no network of the stack; `shared`: see Sharing.
enum class NetworkMode { networks, none, host, shared };
BOOST_DESCRIBE_ENUM(NetworkMode, networks, none, host, shared)

enum class ShareMode { private_, host, service, container, shareable, none };
BOOST_DESCRIBE_ENUM(ShareMode, private_, host, service, container, shareable, none)

struct Share {
  ShareMode mode = ShareMode::private_;
  std::string name;  ///< of the service or container
  bool operator==(const Share&) const = default;
};
BOOST_DESCRIBE_STRUCT(Share, (), (mode, name))

/// Whose namespaces a service has instead of its own. Services named here are dependencies, too.
struct Sharing {
  Share network;  ///< with NetworkMode::shared
  Share pid, ipc, uts, cgroup;
  bool operator==(const Sharing&) const = default;
};
BOOST_DESCRIBE_STRUCT(Sharing, (), (network, pid, ipc, uts, cgroup))

struct DeviceMapping {
  std::string source;  ///< path on the host, or "vendor.com/class=name"
  std::string target;  ///< empty: the same
  std::string permissions = "rwm";
  bool operator==(const DeviceMapping&) const = default;
};
BOOST_DESCRIBE_STRUCT(DeviceMapping, (), (source, target, permissions))

struct DeviceRate {
  std::string path;
  std::uint64_t value = 0;  ///< bytes or operations a second, or a weight
  bool operator==(const DeviceRate&) const = default;
};
BOOST_DESCRIBE_STRUCT(DeviceRate, (), (path, value))

struct BlockIo {
  std::optional<std::uint32_t> weight;
  std::vector<DeviceRate> weights, read_bps, write_bps, read_iops, write_iops;
  bool operator==(const BlockIo&) const = default;
};
BOOST_DESCRIBE_STRUCT(BlockIo, (), (weight, weights, read_bps, write_bps, read_iops, write_iops))

struct Link {
  std::string name;      ///< of a service, or of a container outside of the stack
  std::string alias;     ///< empty: the name
  bool in_stack = true;  ///< a service
  bool operator==(const Link&) const = default;
};
BOOST_DESCRIBE_STRUCT(Link, (), (name, alias, in_stack))

struct VolumesFrom {
  std::string name;
  bool read_only = false;
  bool in_stack = true;
  bool operator==(const VolumesFrom&) const = default;
};
BOOST_DESCRIBE_STRUCT(VolumesFrom, (), (name, read_only, in_stack))

struct Service {
  std::string name;
  std::string image;  ///< never empty: "<stack>-<service>" when only `build` is given
  std::optional<Build> build;
  PullPolicy pull_policy = PullPolicy::missing;

  std::optional<std::vector<std::string>> command;     ///< unset: the image's; empty: none
  std::optional<std::vector<std::string>> entrypoint;  ///< unset: the image's; empty: none
  StringMap environment;
  std::optional<std::string> user;  ///< "name|uid[:group|gid]"
  std::vector<std::string> group_add;
  std::optional<std::string> working_dir;
  std::optional<std::string> hostname;
  std::optional<std::string> domainname;
  bool init = false;
  bool stdin_open = false;
  bool tty = false;
  std::optional<std::string> stop_signal;  ///< "SIGTERM" or a number
  std::optional<Duration> stop_grace_period;

  std::vector<Port> ports;
  std::vector<Port> expose;  ///< container_port and protocol only
  std::vector<Mount> mounts;
  NetworkMode network_mode = NetworkMode::networks;
  std::map<std::string, Attachment> networks;  ///< keys of Stack::networks; "default" unless said otherwise
  std::vector<std::string> dns;
  std::vector<std::string> dns_search;
  std::vector<std::string> dns_options;
  std::vector<ExtraHost> extra_hosts;

  std::map<std::string, Dependency> depends_on;
  std::optional<HealthCheck> healthcheck;
  RestartPolicy restart;
  std::uint32_t replicas = 1;
  std::optional<std::string> container_name;  ///< only with at most one replica

  Limits limits;
  Security security;
  StringMap sysctls;
  std::map<std::string, Ulimit> ulimits;
  std::optional<std::uint64_t> shm_size;  ///< bytes
  std::optional<Logging> logging;
  StringMap labels;
  StringMap annotations;
  std::vector<std::string> profiles;
  bool attach = true;  ///< whether `up` shows its output
  Sharing sharing;
  std::vector<DeviceMapping> devices;
  std::vector<std::string> device_rules;
  std::optional<BlockIo> block_io;
  std::vector<Link> links;
  std::vector<VolumesFrom> volumes_from;
  bool operator==(const Service&) const = default;
};
BOOST_DESCRIBE_STRUCT(Service, (),
                      (name, image, build, pull_policy, command, entrypoint, environment, user, group_add, working_dir,
                       hostname, domainname, init, stdin_open, tty, stop_signal, stop_grace_period, ports, expose,
                       mounts, network_mode, networks, dns, dns_search, dns_options, extra_hosts, depends_on,
                       healthcheck, restart, replicas, container_name, limits, security, sysctls, ulimits, shm_size,
                       logging, labels, annotations, profiles, attach, sharing, devices, device_rules, block_io, links,
                       volumes_from))

struct AddressPool {
  std::string subnet;  ///< CIDR
  std::optional<std::string> gateway;
  std::optional<std::string> ip_range;
  bool operator==(const AddressPool&) const = default;
};
BOOST_DESCRIBE_STRUCT(AddressPool, (), (subnet, gateway, ip_range))

struct Network {
  std::string name;  ///< the network's own name: "<stack>_<key>" unless the file names it
  bool external = false;
  bool internal = false;
  bool enable_ipv6 = false;
  bool attachable = false;
  std::vector<AddressPool> pools;
  StringMap labels;
  bool operator==(const Network&) const = default;
};
BOOST_DESCRIBE_STRUCT(Network, (), (name, external, internal, enable_ipv6, attachable, pools, labels))

struct Volume {
  std::string name;  ///< the volume's own name: "<stack>_<key>" unless the file names it
  bool external = false;
  std::string driver = "local";
  StringMap driver_opts;
  StringMap labels;
  bool operator==(const Volume&) const = default;
};
BOOST_DESCRIBE_STRUCT(Volume, (), (name, external, driver, driver_opts, labels))

/// One application. Services are those that the active profiles enable; networks and volumes are those declared.
struct Stack {
  std::string name;
  std::filesystem::path working_directory;  ///< absolute: what relative paths of the file were resolved against
  std::map<std::string, Service> services;
  std::map<std::string, Network> networks;
  std::map<std::string, Volume> volumes;
  bool operator==(const Stack&) const = default;
};
BOOST_DESCRIBE_STRUCT(Stack, (), (name, working_directory, services, networks, volumes))

}  // namespace gantry::compose
