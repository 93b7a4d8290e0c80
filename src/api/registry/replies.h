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

/// What the client may name the registry it means with, when it goes through us as a mirror (containerd's `ns`).
inline std::string registry_meant(const Call& call) { return call.query().get("ns"); }

/// On a thread of its own: what asks another registry takes as long as that does.
template <class F>
task<std::invoke_result_t<F>> apart(Context& context, F work) {
  Transfer transfer(context.transfers);
  co_return co_await transfer.run(std::move(work));
}

inline std::string blob_path(const std::string& name, const std::string& digest) {
  return "/v2/" + name + "/blobs/" + digest;
}

}  // namespace gantry::api::registry_front
