#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "remote.h"

namespace gantry::registry {

/// Whether the repository has the blob.
bool has_blob(Remote& remote, const std::string& digest);

/// Asks the registry to take the blob over from another of its repositories. False when it does not.
bool mount_blob(Remote& remote, const std::string& digest, const std::string& from);

/// Sends a small blob.
void upload_blob(Remote& remote, const std::string& data, const std::string& digest);

struct Sent {
  std::string digest;
  std::uint64_t size = 0;
};
/// Gives the bytes of a blob, from its start, to its parameter; called again for each attempt, on a thread of its own.
using BlobMaker = std::function<void(const std::function<void(std::string_view)>& take)>;
/// Sends a blob whose digest is known when all of it has been made. `at` hears how many bytes are on the wire.
Sent upload_stream(Remote& remote, const std::string& what, const BlobMaker& make,
                   const std::function<void(std::uint64_t)>& at, const Retries::Tell& tell);

}  // namespace gantry::registry
