#include "check_service.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "gantry/base/text.h"
#include "text.h"

namespace gantry::compose {

namespace {

constexpr std::uint32_t kMaximumReplicas = 1000;

const std::vector<std::string>& capability_names() {
  static const std::vector<std::string> kNames{"ALL",
                                               "AUDIT_CONTROL",
                                               "AUDIT_READ",
                                               "AUDIT_WRITE",
                                               "BLOCK_SUSPEND",
                                               "BPF",
                                               "CHECKPOINT_RESTORE",
                                               "CHOWN",
                                               "DAC_OVERRIDE",
                                               "DAC_READ_SEARCH",
                                               "FOWNER",
                                               "FSETID",
                                               "IPC_LOCK",
                                               "IPC_OWNER",
                                               "KILL",
                                               "LEASE",
                                               "LINUX_IMMUTABLE",
                                               "MAC_ADMIN",
                                               "MAC_OVERRIDE",
                                               "MKNOD",
                                               "NET_ADMIN",
                                               "NET_BIND_SERVICE",
                                               "NET_BROADCAST",
                                               "NET_RAW",
                                               "PERFMON",
                                               "SETFCAP",
                                               "SETGID",
                                               "SETPCAP",
                                               "SETUID",
                                               "SYS_ADMIN",
                                               "SYS_BOOT",
                                               "SYS_CHROOT",
                                               "SYS_MODULE",
                                               "SYS_NICE",
                                               "SYS_PACCT",
                                               "SYS_PTRACE",
                                               "SYS_RAWIO",
                                               "SYS_RESOURCE",
                                               "SYS_TIME",
                                               "SYS_TTY_CONFIG",
                                               "SYSLOG",
                                               "WAKE_ALARM"};
  return kNames;
}

const std::vector<std::string>& signal_names() {
  static const std::vector<std::string> kNames{"ABRT", "ALRM",   "BUS",  "CHLD", "CONT",   "FPE",   "HUP",  "ILL",
                                               "INT",  "IO",     "KILL", "PIPE", "POLL",   "PROF",  "PWR",  "QUIT",
                                               "SEGV", "STKFLT", "STOP", "SYS",  "TERM",   "TRAP",  "TSTP", "TTIN",
                                               "TTOU", "URG",    "USR1", "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ"};
  return kNames;
}

const std::vector<std::string>& ulimit_names() {
  static const std::vector<std::string> kNames{"as",      "core",     "cpu",        "data",   "fsize", "locks",
                                               "memlock", "msgqueue", "nice",       "nofile", "nproc", "rss",
                                               "rtprio",  "rttime",   "sigpending", "stack"};
  return kNames;
}

bool is_number_up_to(std::string_view text, unsigned maximum, unsigned& out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() && out <= maximum;
}

bool is_signal(std::string_view text) {
  unsigned number = 0;
  if (is_number_up_to(text, 64, number)) return number > 0;
  auto name = upper(text);
  if (name.starts_with("SIG")) name.erase(0, 3);
  if (name.starts_with("RTMIN") || name.starts_with("RTMAX")) return true;
  return std::ranges::find(signal_names(), name) != signal_names().end();
}

/// Collects problems of one service; every rule is one function.
class ServiceCheck {
 public:
  ServiceCheck(const Service& service, const std::string& path, std::vector<Problem>& out)
      : service_(service), path_(path), out_(out) {}

  void run() {
    ports();
    mounts();
    limits();
    security();
    network();
    health();
    environment();
    rest();
  }

 private:
  void problem(std::string_view where, std::string message) {
    out_.push_back({fmt::format("{}.{}", path_, where), std::move(message)});
  }

  void ports() {
    for (std::size_t i = 0; i < service_.ports.size(); ++i) {
      const auto& port = service_.ports[i];
      auto where = fmt::format("ports[{}]", i);
      if (port.container_port == 0) problem(where, "a container port cannot be 0");
      if (port.host_ip && !is_address(*port.host_ip))
        problem(where, fmt::format("'{}' is not an IP address", *port.host_ip));
    }
    if (service_.network_mode != NetworkMode::networks && !service_.ports.empty())
      problem("ports", "ports cannot be published together with 'network_mode'");
    if (service_.network_mode != NetworkMode::networks && !service_.networks.empty())
      problem("networks", "'network_mode' and 'networks' exclude each other");
  }

  void mounts() {
    std::set<std::string> targets;
    for (std::size_t i = 0; i < service_.mounts.size(); ++i) {
      const auto& mount = service_.mounts[i];
      auto where = fmt::format("mounts[{}]", i);
      if (!mount.target.starts_with('/')) {
        problem(where, fmt::format("the target '{}' is not an absolute path", mount.target));
      } else if (mount.target == "/") {
        problem(where, "nothing can be mounted over the root directory");
      }
      if (!targets.insert(mount.target).second)
        problem(where, fmt::format("something is already mounted at {}", mount.target));
      if (mount.type == MountType::bind && !mount.source.starts_with('/'))
        problem(where, fmt::format("the source '{}' is not an absolute path", mount.source));
      if (std::ranges::any_of(split(mount.subpath, '/'), [](const auto& part) { return part == ".."; }) ||
          mount.subpath.starts_with('/'))
        problem(where, fmt::format("the subpath '{}' leaves the volume", mount.subpath));
    }
  }

  void limits() {
    const auto& limits = service_.limits;
    constexpr std::uint64_t kSmallestMemory = 6u << 20;  // as in the Docker Engine API
    if (limits.memory && *limits.memory < kSmallestMemory) problem("limits.memory", "the smallest memory limit is 6m");
    if (limits.cpus && *limits.cpus <= 0) problem("limits.cpus", "must be more than 0");
    if (limits.memory_and_swap && !limits.memory) problem("limits.memory_and_swap", "needs a memory limit beside it");
    if (limits.memory_and_swap && limits.memory && *limits.memory_and_swap < *limits.memory)
      problem("limits.memory_and_swap", "memory and swap together cannot be less than the memory limit");
    if (limits.memory_reservation && limits.memory && *limits.memory_reservation > *limits.memory)
      problem("limits.memory_reservation", "cannot be more than the memory limit");
    for (const auto& [name, ulimit] : service_.ulimits) {
      auto where = "ulimits." + name;
      if (std::ranges::find(ulimit_names(), name) == ulimit_names().end())
        problem(where, fmt::format("there is no limit '{}'{}", name, did_you_mean(name, ulimit_names())));
      if (ulimit.hard && (!ulimit.soft || *ulimit.soft > *ulimit.hard))
        problem(where, "the soft limit exceeds the hard one");
    }
    if (service_.replicas > kMaximumReplicas) problem("replicas", fmt::format("{} at most", kMaximumReplicas));
  }

  void capabilities(std::string_view where, const std::vector<std::string>& names) {
    for (const auto& name : names) {
      if (std::ranges::find(capability_names(), name) == capability_names().end())
        problem(where, fmt::format("there is no capability '{}'{}", name, did_you_mean(name, capability_names())));
    }
  }

  void security() {
    capabilities("security.cap_add", service_.security.cap_add);
    capabilities("security.cap_drop", service_.security.cap_drop);
  }

  void addresses(std::string_view where, const std::vector<std::string>& list) {
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (!is_address(list[i]))
        problem(fmt::format("{}[{}]", where, i), fmt::format("'{}' is not an IP address", list[i]));
    }
  }

  void network() {
    addresses("dns", service_.dns);
    for (std::size_t i = 0; i < service_.extra_hosts.size(); ++i) {
      const auto& host = service_.extra_hosts[i];
      if (host.name.empty() || (host.address != "host-gateway" && !is_address(host.address)))
        problem(fmt::format("extra_hosts[{}]", i), fmt::format("'{}' is not an IP address", host.address));
    }
    for (const auto& [name, attachment] : service_.networks) {
      auto where = "networks." + name;
      if (attachment.ipv4_address && !is_ipv4(*attachment.ipv4_address))
        problem(where + ".ipv4_address", fmt::format("'{}' is not an IPv4 address", *attachment.ipv4_address));
      if (attachment.ipv6_address && !is_ipv6(*attachment.ipv6_address))
        problem(where + ".ipv6_address", fmt::format("'{}' is not an IPv6 address", *attachment.ipv6_address));
      if ((attachment.ipv4_address || attachment.ipv6_address) && service_.replicas > 1)
        problem(where, "a service with more than one replica cannot have a fixed address");
    }
  }

  void positive(std::string_view where, const std::optional<Duration>& duration) {
    if (duration && duration->count() <= 0) problem(where, "must be more than 0");
  }

  void health() {
    if (service_.stop_grace_period && service_.stop_grace_period->count() < 0)
      problem("stop_grace_period", "is negative");
    if (!service_.healthcheck) return;
    const auto& check = *service_.healthcheck;
    positive("healthcheck.interval", check.interval);
    positive("healthcheck.timeout", check.timeout);
    positive("healthcheck.start_interval", check.start_interval);
    if (check.start_period && check.start_period->count() < 0) problem("healthcheck.start_period", "is negative");
    bool is_known = check.test.empty() || (check.test.size() >= 2 && check.test[0] == "CMD") ||
                    (check.test.size() == 2 && check.test[0] == "CMD-SHELL");
    if (!is_known) problem("healthcheck.test", "must be CMD with a command, or CMD-SHELL with one string");
  }

  void environment() {
    for (const auto& [name, value] : service_.environment) {
      if (name.empty() || name.find('=') != std::string::npos)
        problem("environment", fmt::format("'{}' is not a variable", name));
    }
  }

  void rest() {
    if (service_.image.empty()) problem("image", "is empty");
    if (service_.stop_signal && !is_signal(*service_.stop_signal))
      problem("stop_signal",
              fmt::format("there is no signal '{}'{}", *service_.stop_signal,
                          did_you_mean(*service_.stop_signal, {"SIGTERM", "SIGQUIT", "SIGINT", "SIGKILL"})));
    if (service_.working_dir && !service_.working_dir->starts_with('/'))
      problem("working_dir", fmt::format("'{}' is not an absolute path", *service_.working_dir));
    if (service_.build && !service_.build->context.is_absolute()) problem("build.context", "is not an absolute path");
    if (service_.restart.maximum_retries && service_.restart.condition != RestartCondition::on_failure)
      problem("restart", "a number of retries needs the condition on-failure");
  }

  const Service& service_;
  const std::string& path_;
  std::vector<Problem>& out_;
};

}  // namespace

bool is_ipv4(const std::string& text) {
  in_addr address{};
  return text.find('\0') == std::string::npos && inet_pton(AF_INET, text.c_str(), &address) == 1;
}

bool is_ipv6(const std::string& text) {
  in6_addr address{};
  return text.find('\0') == std::string::npos && inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

bool is_address(const std::string& text) { return is_ipv4(text) || is_ipv6(text); }

bool is_subnet(const std::string& text) {
  auto slash = text.find('/');
  if (slash == std::string::npos) return false;
  auto address = text.substr(0, slash);
  unsigned length = 0;
  auto digits = std::string_view(text).substr(slash + 1);
  return (is_ipv4(address) && is_number_up_to(digits, 32, length)) ||
         (is_ipv6(address) && is_number_up_to(digits, 128, length));
}

void check_service(const Service& service, const std::string& path, std::vector<Problem>& out) {
  ServiceCheck(service, path, out).run();
}

}  // namespace gantry::compose
