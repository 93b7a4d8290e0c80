#pragma once

#include <boost/describe.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "gantry/base/ids.h"
#include "gantry/base/time.h"

/// The words in which every front (v1, later docker and cri) talks to the engine. All types are described, so they
/// are stored, sent and shown as JSON without further code.
namespace gantry::engine {

enum class MountType { bind, volume, tmpfs };
BOOST_DESCRIBE_ENUM(MountType, bind, volume, tmpfs)

struct Mount {
  MountType type = MountType::volume;
  std::string source;  ///< bind: absolute host path; volume: its name, empty for anonymous; tmpfs: unused
  std::string target;  ///< absolute path in the container
  bool read_only = false;
  bool create_source = false;               ///< bind: make the directory when it is not there (compose short form)
  bool no_copy = false;                     ///< volume: do not fill a new volume from the image
  std::optional<std::uint64_t> tmpfs_size;  ///< bytes
  std::optional<std::uint32_t> tmpfs_mode;  ///< permission bits
};
BOOST_DESCRIBE_STRUCT(Mount, (), (type, source, target, read_only, create_source, no_copy, tmpfs_size, tmpfs_mode))

struct NetworkAttachment {
  std::string network;               ///< name or id
  std::vector<std::string> aliases;  ///< further names other containers of the network find it by
  std::optional<std::string> ipv4;   ///< a wanted address
  std::optional<std::string> ipv6;
};
BOOST_DESCRIBE_STRUCT(NetworkAttachment, (), (network, aliases, ipv4, ipv6))

enum class Protocol { tcp, udp };
BOOST_DESCRIBE_ENUM(Protocol, tcp, udp)

struct PortBinding {
  std::string host_ip;          ///< empty: every address, IPv4 and IPv6
  std::uint16_t host_port = 0;  ///< 0: a free one is chosen
  std::uint16_t container_port = 0;
  Protocol protocol = Protocol::tcp;
};
BOOST_DESCRIBE_STRUCT(PortBinding, (), (host_ip, host_port, container_port, protocol))

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

struct Resources {
  std::optional<std::uint64_t> memory;       ///< bytes
  std::optional<std::uint64_t> memory_swap;  ///< bytes, memory and swap together
  std::optional<std::uint64_t> memory_reservation;
  std::optional<double> cpus;
  std::optional<std::uint64_t> cpu_shares;  ///< version 1 scale, 1024 is one share
  std::optional<std::string> cpuset;
  std::optional<std::int64_t> pids;
  std::optional<std::uint64_t> shm_size;  ///< bytes, default 64 MiB
};
BOOST_DESCRIBE_STRUCT(Resources, (),
                      (memory, memory_swap, memory_reservation, cpus, cpu_shares, cpuset, pids, shm_size))

struct Ulimit {
  std::string name;  ///< nofile, nproc, ... (without RLIMIT_)
  std::uint64_t soft = 0;
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
};
BOOST_DESCRIBE_STRUCT(Security, (),
                      (user_namespace, seccomp, no_new_privileges, privileged, unmask_paths, cap_add, cap_drop))
/// What of the default isolation is switched off, for `inspect` and `ps`: "userns=host", "cap_add=NET_ADMIN", ...
std::vector<std::string> opt_outs(const Security& security);

struct LogOptions {
  std::uint64_t max_size = 10u << 20;  ///< bytes of one file
  int max_files = 3;
};
BOOST_DESCRIBE_STRUCT(LogOptions, (), (max_size, max_files))

/// What a user asked for. Immutable after create. Unset members are taken from the image.
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
  bool init = false;  ///< catatonit as PID 1
  bool read_only = false;
  bool auto_remove = false;
  std::vector<Mount> mounts;
  std::vector<NetworkAttachment> networks;  ///< empty: the network `default`
  bool no_network = false;                  ///< loopback only
  std::vector<PortBinding> ports;
  std::vector<std::string> extra_hosts;  ///< "name:address"
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
};
BOOST_DESCRIBE_STRUCT(ContainerSpec, (),
                      (name, project, image, entrypoint, command, environment, user, working_dir, hostname, labels, tty,
                       open_stdin, init, read_only, auto_remove, mounts, networks, no_network, ports, extra_hosts, dns,
                       restart, health, stop_signal, stop_grace, resources, ulimits, sysctls, security, log, runtime))

enum class State { created, starting, running, stopping, restarting, exited, removing };
BOOST_DESCRIBE_ENUM(State, created, starting, running, stopping, restarting, exited, removing)
enum class Health { none, starting, healthy, unhealthy };
BOOST_DESCRIBE_ENUM(Health, none, starting, healthy, unhealthy)

struct NetworkAddress {
  std::string network;
  std::string ipv4;  ///< without prefix; empty while not running
  std::string ipv6;
  std::string gateway;
  std::string mac;
  std::vector<std::string> aliases;
};
BOOST_DESCRIBE_STRUCT(NetworkAddress, (), (network, ipv4, ipv6, gateway, mac, aliases))

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
};
BOOST_DESCRIBE_STRUCT(ContainerInfo, (),
                      (id, spec, image_id, state, pid, exit_code, oom_killed, error, created, started, finished,
                       restart_count, health, health_failures, health_log, addresses, ports, argv, isolation_off,
                       stopped_by_user, launcher, launcher_reason))

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
};
BOOST_DESCRIBE_STRUCT(ExecSpec, (), (argv, environment, user, working_dir, tty, stdin_open, privileged))

struct ExecInfo {
  ExecId id;
  ContainerId container;
  ExecSpec spec;
  bool running = false;
  std::optional<int> exit_code;
};
BOOST_DESCRIBE_STRUCT(ExecInfo, (), (id, container, spec, running, exit_code))

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

struct Stats {
  std::uint64_t memory = 0;        ///< bytes
  std::uint64_t memory_limit = 0;  ///< bytes; 0: none
  std::uint64_t cpu_nanos = 0;     ///< consumed since the start
  std::uint64_t pids = 0;
};
BOOST_DESCRIBE_STRUCT(Stats, (), (memory, memory_limit, cpu_nanos, pids))

}  // namespace gantry::engine
