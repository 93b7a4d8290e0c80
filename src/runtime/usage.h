#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "gantry/base/usage.h"

/// Numbers from /proc. All functions block shortly.
namespace gantry::runtime {

/// Of the network namespace that the process is in, without lo. Empty when it has gone.
std::map<std::string, InterfaceCount> network_usage(pid_t pid);
/// The text of /proc/<pid>/net/dev. Pure.
std::map<std::string, InterfaceCount> parse_interfaces(const std::string& text);

/// Processor time of the whole machine since it was started, and how many processors are on.
struct HostCpu {
  std::uint64_t nanos = 0;
  std::uint32_t processors = 0;
};
HostCpu host_cpu();

/// Those that are still there, in the order of their numbers.
std::vector<ProcessInfo> describe_processes(const std::vector<pid_t>& pids);

}  // namespace gantry::runtime
