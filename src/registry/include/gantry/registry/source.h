#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gantry/registry/registry.h"

namespace gantry::registry {

/// A registry to read from, as it is: documents and blobs byte for byte, for who passes them on. Several addresses are
/// mirrors of each other, asked in this order until one answers. Connections, tokens and what was found out about each
/// are kept. Blocking, thread-safe; must outlive every call.
///
/// Errors: not_found, unauthenticated, denied, exhausted (rate limit), unavailable, timeout, invalid (what arrives
/// cannot be), cancelled (after `stop`).
class Source {
 public:
  /// Who to be there; asked once for each repository, and again after `forget`.
  using Login = std::function<std::optional<Credentials>(const std::string& address)>;
  /// `addresses`: "https://host[:port]", with a path of a mirror, or "host[:port]". Error invalid.
  Source(Options options, std::vector<std::string> addresses, Login login);
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  ~Source();

  /// What a tag means, asked once and without its document; nullopt: the registry does not say.
  std::optional<std::string> digest_of(const std::string& repository, const std::string& tag);
  struct Document {
    std::string media_type;
    std::string text;
  };
  /// By tag or digest; of a digest, what comes has it.
  Document manifest(const std::string& repository, const std::string& reference);
  std::uint64_t blob_size(const std::string& repository, const std::string& digest);
  /// Every byte once, in order; the caller compares the digest.
  void blob(const std::string& repository, const std::string& digest, std::uint64_t size,
            const std::function<void(std::string_view)>& take);
  std::vector<std::string> tags(const std::string& repository);

  /// Somebody else signs in from now on.
  void forget();
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The host that docker and others mean by an address: "docker.io" for all names of the Docker Hub.
std::string host_of_address(const std::string& address);

}  // namespace gantry::registry
