#include "url.h"

#include <arpa/inet.h>

#include <algorithm>

#include "gantry/base/error.h"
#include "gantry/base/text.h"

namespace gantry::registry {
namespace {

[[noreturn]] void refuse(std::string_view text, const char* why) {
  throw Error(ErrorKind::invalid, "URL \"" + std::string(text.substr(0, 200)) + "\" " + why);
}

bool is_visible(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c > 0x20 && c < 0x7f; });
}

std::string host_of(std::string_view authority) {
  if (authority.starts_with('[')) return lower(authority.substr(1, authority.find(']') - 1));
  return lower(authority.substr(0, authority.find(':')));
}

// The directory of a path, with its last slash.
std::string directory_of(const std::string& target) {
  auto path = target.substr(0, target.find('?'));
  return path.substr(0, path.rfind('/') + 1);
}

}  // namespace

Url Url::parse(std::string_view text) {
  Url out;
  auto colon = text.find("://");
  if (colon == std::string_view::npos || !is_visible(text)) refuse(text, "is not a URL");
  out.scheme = lower(text.substr(0, colon));
  if (out.scheme != "http" && out.scheme != "https") refuse(text, "is neither http nor https");
  auto rest = text.substr(colon + 3);
  rest = rest.substr(0, rest.find('#'));
  auto end = std::min(rest.find_first_of("/?"), rest.size());
  out.authority = rest.substr(0, end);
  out.target = rest.substr(end);
  if (!out.target.starts_with('/')) out.target.insert(0, "/");
  if (out.authority.find('@') != std::string::npos) refuse(out.origin().substr(0, 8), "with a user in it is refused");
  out.host = host_of(out.authority);
  if (out.host.empty()) refuse(text, "has no host");
  return out;
}

Url Url::resolve(std::string_view location) const {
  if (location.find("://") != std::string_view::npos) return parse(location);
  if (location.starts_with("//")) return parse(scheme + ":" + std::string(location));
  if (location.starts_with('/')) return parse(origin() + std::string(location));
  return parse(origin() + directory_of(target) + std::string(location));
}

bool Url::is_loopback() const { return is_loopback_host(host); }

bool is_loopback_host(std::string_view host_view) {
  std::string host(host_view);
  if (host == "localhost") return true;
  in_addr v4{};
  if (::inet_pton(AF_INET, host.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
  in6_addr v6{};
  return ::inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

}  // namespace gantry::registry
