#pragma once

#include <boost/describe.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// config.json of the OCI Runtime Specification 1.0.2, as far as Gantry writes it
/// (https://github.com/opencontainers/runtime-spec). Members have the specification's own names, so that each struct
/// maps to its JSON object without further code; a trailing underscore is not part of the name.
namespace gantry::oci::runtime {

struct User {
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> additionalGids;
};
BOOST_DESCRIBE_STRUCT(User, (), (uid, gid, additionalGids))

struct Capabilities {
  std::vector<std::string> bounding, effective, permitted, inheritable, ambient;
};
BOOST_DESCRIBE_STRUCT(Capabilities, (), (bounding, effective, permitted, inheritable, ambient))

struct Rlimit {
  std::string type;
  std::uint64_t soft = 0;
  std::uint64_t hard = 0;
};
BOOST_DESCRIBE_STRUCT(Rlimit, (), (type, soft, hard))

struct Process {
  bool terminal = false;
  User user;
  std::vector<std::string> args;
  std::vector<std::string> env;
  std::string cwd = "/";
  Capabilities capabilities;
  std::vector<Rlimit> rlimits;
  bool noNewPrivileges = false;
  std::optional<std::string> apparmorProfile;
  std::optional<int> oomScoreAdj;
};
BOOST_DESCRIBE_STRUCT(Process, (),
                      (terminal, user, args, env, cwd, capabilities, rlimits, noNewPrivileges, apparmorProfile,
                       oomScoreAdj))

struct Root {
  std::string path;
  bool readonly = false;
};
BOOST_DESCRIBE_STRUCT(Root, (), (path, readonly))

struct Mount {
  std::string destination;
  std::string type;
  std::string source;
  std::vector<std::string> options;
};
BOOST_DESCRIBE_STRUCT(Mount, (), (destination, type, source, options))

struct IdMapping {
  std::uint32_t containerID = 0;
  std::uint32_t hostID = 0;
  std::uint32_t size = 0;
};
BOOST_DESCRIBE_STRUCT(IdMapping, (), (containerID, hostID, size))

struct Namespace {
  std::string type;
  std::optional<std::string> path;  ///< of one to join
};
BOOST_DESCRIBE_STRUCT(Namespace, (), (type, path))

struct Device {
  std::string type;  ///< "c" or "b"
  std::string path;
  std::int64_t major = 0;
  std::int64_t minor = 0;
  std::optional<std::uint32_t> fileMode;
};
BOOST_DESCRIBE_STRUCT(Device, (), (type, path, major, minor, fileMode))

struct DeviceRule {
  bool allow = false;
  std::optional<std::string> type;
  std::optional<std::int64_t> major;
  std::optional<std::int64_t> minor;
  std::string access;
};
BOOST_DESCRIBE_STRUCT(DeviceRule, (), (allow, type, major, minor, access))

struct Memory {
  std::optional<std::int64_t> limit, reservation, swap;
  std::optional<std::uint64_t> swappiness;
  std::optional<bool> disableOOMKiller;
};
BOOST_DESCRIBE_STRUCT(Memory, (), (limit, reservation, swap, swappiness, disableOOMKiller))

struct Cpu {
  std::optional<std::uint64_t> shares;
  std::optional<std::int64_t> quota;
  std::optional<std::uint64_t> period;
  std::optional<std::string> cpus;
  std::optional<std::string> mems;
};
BOOST_DESCRIBE_STRUCT(Cpu, (), (shares, quota, period, cpus, mems))

struct Pids {
  std::int64_t limit = 0;
};
BOOST_DESCRIBE_STRUCT(Pids, (), (limit))

struct WeightDevice {
  std::int64_t major = 0;
  std::int64_t minor = 0;
  std::uint16_t weight = 0;
};
BOOST_DESCRIBE_STRUCT(WeightDevice, (), (major, minor, weight))

struct ThrottleDevice {
  std::int64_t major = 0;
  std::int64_t minor = 0;
  std::uint64_t rate = 0;
};
BOOST_DESCRIBE_STRUCT(ThrottleDevice, (), (major, minor, rate))

struct BlockIo {
  std::optional<std::uint16_t> weight;
  std::vector<WeightDevice> weightDevice;
  std::vector<ThrottleDevice> throttleReadBpsDevice, throttleWriteBpsDevice;
  std::vector<ThrottleDevice> throttleReadIOPSDevice, throttleWriteIOPSDevice;
};
BOOST_DESCRIBE_STRUCT(BlockIo, (),
                      (weight, weightDevice, throttleReadBpsDevice, throttleWriteBpsDevice, throttleReadIOPSDevice,
                       throttleWriteIOPSDevice))

struct Resources {
  std::vector<DeviceRule> devices;
  std::optional<Memory> memory;
  std::optional<Cpu> cpu;
  std::optional<Pids> pids;
  std::optional<BlockIo> blockIO;
};
BOOST_DESCRIBE_STRUCT(Resources, (), (devices, memory, cpu, pids, blockIO))

struct SeccompArg {
  std::uint32_t index = 0;
  std::uint64_t value = 0;
  std::optional<std::uint64_t> valueTwo;
  std::string op;
};
BOOST_DESCRIBE_STRUCT(SeccompArg, (), (index, value, valueTwo, op))

struct SeccompRule {
  std::vector<std::string> names;
  std::string action;
  std::optional<std::uint32_t> errnoRet;
  std::vector<SeccompArg> args;
};
BOOST_DESCRIBE_STRUCT(SeccompRule, (), (names, action, errnoRet, args))

struct Seccomp {
  std::string defaultAction;
  std::optional<std::uint32_t> defaultErrnoRet;
  std::vector<std::string> architectures;
  std::vector<SeccompRule> syscalls;
};
BOOST_DESCRIBE_STRUCT(Seccomp, (), (defaultAction, defaultErrnoRet, architectures, syscalls))

struct Linux {
  std::vector<Namespace> namespaces;
  std::vector<IdMapping> uidMappings;
  std::vector<IdMapping> gidMappings;
  std::vector<Device> devices;
  std::string cgroupsPath;
  Resources resources;
  std::string rootfsPropagation;
  std::optional<Seccomp> seccomp;
  std::map<std::string, std::string> sysctl;
  std::vector<std::string> maskedPaths;
  std::vector<std::string> readonlyPaths;
};
BOOST_DESCRIBE_STRUCT(Linux, (),
                      (namespaces, uidMappings, gidMappings, devices, cgroupsPath, resources, rootfsPropagation,
                       seccomp, sysctl, maskedPaths, readonlyPaths))

struct Hook {
  std::string path;
  std::vector<std::string> args;
  std::vector<std::string> env;
  std::optional<int> timeout;
};
BOOST_DESCRIBE_STRUCT(Hook, (), (path, args, env, timeout))

struct Hooks {
  std::vector<Hook> prestart, createRuntime, createContainer, startContainer, poststart, poststop;
};
BOOST_DESCRIBE_STRUCT(Hooks, (), (prestart, createRuntime, createContainer, startContainer, poststart, poststop))

struct Spec {
  std::string ociVersion = "1.0.2";
  Process process;
  Root root;
  std::string hostname;
  std::optional<std::string> domainname;
  std::vector<Mount> mounts;
  Linux linux_;
  std::map<std::string, std::string> annotations;
  std::optional<Hooks> hooks;
  std::size_t system_mounts = 0;  ///< not of the specification: so many of `mounts`, the first, are the system's own
};
BOOST_DESCRIBE_STRUCT(Spec, (), (ociVersion, process, root, hostname, domainname, mounts, linux_, annotations, hooks))

}  // namespace gantry::oci::runtime
