#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::registry {

/// One challenge of a WWW-Authenticate field (RFC 9110, 11.6.1). Scheme and parameter names in lower case.
struct Challenge {
  std::string scheme;
  std::map<std::string, std::string> parameters;
};

/// What can be read of it; the rest is left out.
std::vector<Challenge> parse_challenges(std::string_view field);

}  // namespace gantry::registry
