#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "remote.h"

namespace gantry::registry {

struct BlobRequest {
  oci::Digest digest;
  std::uint64_t size = 0;
  std::string what;  ///< for messages: "layer sha256:..."
};

/// Fetches a blob of known size: calls `take` with every byte once, in order, going on where a broken connection
/// left off; a large one in ranges over several connections, where the server knows ranges. The caller compares the
/// digest. Error invalid when more comes, or less and then no more.
void fetch_blob(Remote& remote, const BlobRequest& request, const std::function<void(std::string_view)>& take,
                const Retries::Tell& tell);

/// A small one, whole, its digest verified.
std::string read_blob(Remote& remote, const BlobRequest& request);

}  // namespace gantry::registry
