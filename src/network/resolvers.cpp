#include "resolvers.h"

#include <sstream>

#include "gantry/base/files.h"

namespace gantry::network {

ResolverConfig parse_resolv_conf(std::string_view text) {
  ResolverConfig out;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string key;
    words >> key;
    if (key == "nameserver") {
      std::string value;
      words >> value;
      boost::system::error_code failed;
      auto address = boost::asio::ip::make_address(value, failed);
      if (!failed) out.servers.push_back(address);
    } else if (key == "search" || key == "domain") {
      out.search.clear();
      for (std::string domain; words >> domain;) out.search.push_back(domain);
    }
  }
  return out;
}

const ResolverConfig& HostResolvers::current() {
  std::error_code failed;
  auto changed = std::filesystem::last_write_time(file_, failed);
  if (failed) {
    config_ = {};
    changed_ = std::filesystem::file_time_type::min();
  } else if (changed != changed_) {
    config_ = parse_resolv_conf(read_file_if_exists(file_).value_or(""));
    changed_ = changed;
  }
  return config_;
}

}  // namespace gantry::network
