#pragma once

#include <boost/describe.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "gantry/base/time.h"

/// What a container has used up to a moment, as its control groups and its network namespace count it.
namespace gantry {

struct DeviceCount {
  std::uint64_t major = 0;
  std::uint64_t minor = 0;
  std::string operation;  ///< "read", "write"
  std::uint64_t value = 0;
};
BOOST_DESCRIBE_STRUCT(DeviceCount, (), (major, minor, operation, value))

struct InterfaceCount {
  std::uint64_t rx_bytes = 0, rx_packets = 0, rx_errors = 0, rx_dropped = 0;
  std::uint64_t tx_bytes = 0, tx_packets = 0, tx_errors = 0, tx_dropped = 0;
};
BOOST_DESCRIBE_STRUCT(InterfaceCount, (),
                      (rx_bytes, rx_packets, rx_errors, rx_dropped, tx_bytes, tx_packets, tx_errors, tx_dropped))

struct Usage {
  Timestamp time{};                ///< of the reading; nothing is read of a container that does not run
  std::uint64_t memory = 0;        ///< bytes, less what can be given back at once (inactive page cache)
  std::uint64_t memory_limit = 0;  ///< bytes; 0: none
  std::uint64_t memory_total = 0;  ///< bytes, with all page cache
  std::uint64_t memory_most = 0;   ///< the highest it has been; 0: the kernel does not say
  std::uint64_t memory_failures = 0;
  std::map<std::string, std::uint64_t> memory_details;  ///< memory.stat as it is; its names differ by version
  std::uint64_t cpu_nanos = 0;                          ///< consumed since the start
  std::uint64_t cpu_user_nanos = 0, cpu_kernel_nanos = 0;
  std::vector<std::uint64_t> cpu_each_nanos;  ///< of each processor; version 1 only
  std::uint64_t cpu_periods = 0, cpu_throttled_periods = 0, cpu_throttled_nanos = 0;
  std::uint64_t host_cpu_nanos = 0;  ///< of the whole machine, idle time included
  std::uint32_t processors = 0;      ///< of the machine that are on
  std::uint64_t pids = 0;
  std::uint64_t pids_limit = 0;  ///< 0: none
  std::vector<DeviceCount> io_bytes, io_operations;
  std::map<std::string, InterfaceCount> networks;  ///< by interface, without lo; empty where it is not its own
};
BOOST_DESCRIBE_STRUCT(Usage, (),
                      (time, memory, memory_limit, memory_total, memory_most, memory_failures, memory_details,
                       cpu_nanos, cpu_user_nanos, cpu_kernel_nanos, cpu_each_nanos, cpu_periods, cpu_throttled_periods,
                       cpu_throttled_nanos, host_cpu_nanos, processors, pids, pids_limit, io_bytes, io_operations,
                       networks))

/// A process of a container, as the host's kernel knows it.
struct ProcessInfo {
  std::int64_t pid = 0;  ///< on the host
  std::int64_t parent = 0;
  std::uint32_t uid = 0;  ///< as the container sees it
  std::string state;      ///< "R", "S", ... as ps shows it
  std::string terminal;   ///< "pts/0", or "?"
  Timestamp started{};
  Duration cpu{};            ///< consumed
  std::uint64_t memory = 0;  ///< bytes in memory
  std::string command;       ///< with its arguments; in brackets when it has none
};
BOOST_DESCRIBE_STRUCT(ProcessInfo, (), (pid, parent, uid, state, terminal, started, cpu, memory, command))

}  // namespace gantry
