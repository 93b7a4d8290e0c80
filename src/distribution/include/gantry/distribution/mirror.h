#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gantry/distribution/distribution.h"

/// The mirror: repositories of other registries, fetched when somebody wants them and kept like those that were pushed
/// here. Content is kept by digest and never asked for again; what a tag means is asked after a while. Blocking,
/// thread-safe.
///
/// Life cycle: construct, `recover` (after Distribution's), use, `stop` when no answer is wanted any more.
namespace gantry::distribution {

/// A registry that content comes from. Errors say what it answered: not_found, unauthenticated, denied, exhausted (it
/// wants to be left alone for a while), unavailable, timeout, invalid (what it sends cannot be). Blocking, thread-safe.
class Upstream {
 public:
  virtual ~Upstream() = default;
  /// What a tag means there, without fetching it; nullopt: it does not say.
  virtual std::optional<std::string> digest_of(const std::string& repository, const std::string& tag) = 0;
  struct Document {
    std::string media_type;
    std::string text;
  };
  /// By tag or digest; of a digest, what comes has it.
  virtual Document manifest(const std::string& repository, const std::string& reference) = 0;
  virtual std::uint64_t blob_size(const std::string& repository, const std::string& digest) = 0;
  /// Every byte once, in order. Whoever takes them compares the digest, and may throw to end it.
  virtual void fetch(const std::string& repository, const std::string& digest, std::uint64_t size,
                     const std::function<void(std::string_view)>& take) = 0;
  virtual std::vector<std::string> tags(const std::string& repository) = 0;
  /// What is under way ends soon, with an Error (cancelled), and so does whatever begins later.
  virtual void stop() = 0;
};

struct Proxy {
  std::string name;  ///< "docker.io": its repositories are docker.io/... here; kEverything: those without such a name
  std::string host;  ///< what clients that go through mirrors call it; for docker.io that
  std::string address;  ///< for messages
  std::shared_ptr<Upstream> upstream;
};
inline constexpr char kEverything[] = "*";

struct MirrorOptions {
  std::chrono::seconds ttl{300};        ///< what a tag means is taken for granted for so long
  std::chrono::seconds down_pause{30};  ///< an upstream that did not answer is not asked for so long, where that can be
};

/// A mirrored repository.
struct Place {
  std::string repository;  ///< here
  std::string remote;      ///< there
  std::size_t proxy = 0;
};

struct Served {
  Manifest manifest;
  std::string warning;  ///< when it may be out of date, why
};

struct MirrorUse {
  std::uint64_t repositories = 0;
  std::uint64_t blobs = 0;      ///< bytes of those that only mirrored repositories have
  std::uint64_t manifests = 0;  ///< bytes
};

struct Shrunk {
  std::uint64_t bytes = 0;  ///< given back
  std::uint64_t manifests = 0;
  bool later = false;  ///< there is more that is only too fresh yet
};

class Mirror {
 public:
  Mirror(Distribution& distribution, std::vector<Proxy> proxies, MirrorOptions options = {});
  Mirror(const Mirror&) = delete;
  Mirror& operator=(const Mirror&) = delete;
  ~Mirror();

  /// Forgets what a crash left, and repositories whose proxy is not configured any more.
  void recover();
  void stop();
  /// Called, on any thread, whenever a blob has come. Set once, before there are any.
  void on_growth(std::function<void()> grown);

  /// nullopt: a repository of our own. `registry`: the one that the client means, when it says so. Asks nobody.
  std::optional<Place> find(const std::string& repository, const std::string& registry = {});
  /// Throws RegistryError UNSUPPORTED when nothing is pushed to that name.
  void refuse_push(const std::string& repository);

  /// What is here and may be given as it is; asks nobody.
  std::optional<Served> stored_manifest(const Place& place, const std::string& reference);
  std::optional<Blob> stored_blob(const Place& place, const std::string& digest);

  /// May ask the upstream, and take as long as it does. When it cannot be had and something is here that was right
  /// once, that is served, with a warning. RegistryError.
  Served manifest(const Place& place, const std::string& reference);
  /// Comes while it is read: returns when its first part is here. Readers of one blob share one fetch, which ends early
  /// when the last of them has gone.
  Blob blob(const Place& place, const std::string& digest);
  std::uint64_t blob_size(const Place& place, const std::string& digest);
  Page tags(const Place& place, std::size_t limit, const std::string& after);

  MirrorUse use();
  /// Takes away what was longest not used until `target` bytes are left; never what images of the engine came as.
  Shrunk shrink(std::uint64_t target);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gantry::distribution
