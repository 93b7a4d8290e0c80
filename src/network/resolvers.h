#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "address.h"

namespace gantry::network {

/// What /etc/resolv.conf says (resolv.conf(5)): nameserver, search (or domain). Anything else is skipped.
struct ResolverConfig {
  std::vector<Address> servers;
  std::vector<std::string> search;
};
ResolverConfig parse_resolv_conf(std::string_view text);

/// The host's resolvers, read again when the file has changed.
class HostResolvers {
 public:
  explicit HostResolvers(std::filesystem::path file = "/etc/resolv.conf") : file_(std::move(file)) {}
  const ResolverConfig& current();

 private:
  std::filesystem::path file_;
  std::filesystem::file_time_type changed_ = std::filesystem::file_time_type::min();
  ResolverConfig config_;
};

}  // namespace gantry::network
