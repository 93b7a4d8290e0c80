#pragma once

#include "gantry/api/router.h"
#include "gantry/registry/credentials.h"

namespace gantry::api {

/// What the client lends for a registry, in X-Registry-Auth. Error (invalid) when it cannot be read.
inline std::optional<registry::Credentials> credentials_of(const Call& call) {
  const auto* field = call.exchange.request().headers.find("X-Registry-Auth");
  if (field == nullptr) return std::nullopt;
  return registry::parse_auth_header(*field);
}

}  // namespace gantry::api
