#pragma once

#include <string>
#include <string_view>

namespace gantry::registry {

/// An absolute http or https URL, taken apart.
struct Url {
  std::string scheme;     ///< "http" or "https"
  std::string authority;  ///< "host" or "host:port", as written
  std::string host;       ///< lower case, an IPv6 address without brackets
  std::string target;     ///< path and query, at least "/"

  /// Error invalid: anything else, and URLs with a user in them.
  static Url parse(std::string_view text);
  /// As a browser would follow `location`, seen in an answer from here.
  Url resolve(std::string_view location) const;
  std::string str() const { return scheme + "://" + authority + target; }
  std::string origin() const { return scheme + "://" + authority; }
  bool is_loopback() const;
};

/// "localhost", 127.0.0.0/8, ::1.
bool is_loopback_host(std::string_view host);

}  // namespace gantry::registry
