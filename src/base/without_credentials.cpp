#include "gantry/base/without_credentials.h"

#include <algorithm>

namespace gantry {

std::string without_credentials(const std::string& url) {
  auto scheme = url.find("://");
  if (scheme == std::string::npos) return url;
  auto begin = scheme + 3;
  auto end = std::min(url.find_first_of("/?#", begin), url.size());
  auto at = url.rfind('@', end);
  if (at == std::string::npos || at < begin) return url;
  return url.substr(0, begin) + url.substr(at + 1);
}

}  // namespace gantry
