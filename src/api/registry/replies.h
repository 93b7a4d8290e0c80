#pragma once

#include <string>
#include <vector>

#include "front.h"

/// What the route files of this front share.
namespace gantry::api::registry_front {

using Function = task<> (*)(Context&, Call);
inline std::function<task<>(Call)> with(Context& context, Function function) {
  return [&context, function](Call call) { return function(context, std::move(call)); };
}

std::vector<Route> blob_routes(Context& context);
std::vector<Route> upload_routes(Context& context);
std::vector<Route> manifest_routes(Context& context);
std::vector<Route> list_routes(Context& context);

inline std::string blob_path(const std::string& name, const std::string& digest) {
  return "/v2/" + name + "/blobs/" + digest;
}

}  // namespace gantry::api::registry_front
