#pragma once

#include <boost/describe.hpp>

#include <map>
#include <optional>
#include <string>

/// Kernel settings under /proc/sys/net of the calling thread's network namespace. Paths are relative to it:
/// "ipv4/ip_forward". Blocking.
namespace gantry::network {

std::optional<std::string> read_sysctl(const std::string& path);
/// Error naming the setting. One that does not exist (a kernel without IPv6) is fine.
void write_sysctl(const std::string& path, const std::string& value);
bool host_has_ipv6();

/// What forwarding and the settings tied to it were before they were changed, valid for one boot of the host.
struct ForwardingBefore {
  std::string boot;
  std::map<std::string, std::string> values;
};
BOOST_DESCRIBE_STRUCT(ForwardingBefore, (), (boot, values))

std::string boot_id();
bool forwarding_is_on();
/// The values as they are now.
ForwardingBefore forwarding_values();
/// The values as they most likely were when somebody else of ours has switched forwarding on already.
ForwardingBefore assumed_values_before();
/// Switches IPv4 and IPv6 forwarding on. Links that accept router advertisements go on doing so.
void switch_forwarding_on();
void restore_forwarding(const ForwardingBefore& before);

}  // namespace gantry::network
