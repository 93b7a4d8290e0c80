#pragma once

#include <boost/describe.hpp>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gantry/base/async.h"
#include "gantry/image/image_store.h"
#include "gantry/image/vouchers.h"
#include "gantry/registry/credentials.h"
#include "gantry/registry/platform.h"

/// The registry module is the client of registries (OCI distribution 1.1, Docker schema 2): pull in one pass from the
/// wire into the layer's files, push, sign-in. It owns connections, tokens and the pulls in flight; what is pulled
/// belongs to the image module. Members are called on the control thread; the work is done on threads that exist only
/// while there is some.
///
/// Life cycle: construct, use, `close` (which ends and awaits what goes on).
namespace gantry::registry {

struct Options {
  /// Asked in this order before docker.io itself, for docker.io only: "https://mirror.example" (a path is kept).
  std::vector<std::string> mirrors;
  /// `<directory>/<host[:port]>/` holds *.crt (authorities), *.cert and *.key (our own), as docker and containerd have
  /// it. The first directory that knows the host counts.
  std::vector<std::filesystem::path> certificate_dirs{"/etc/gantry/certs.d", "/etc/docker/certs.d"};
  std::size_t layers_at_once = 4;
  std::uint64_t piece = 8u << 20;          ///< bytes: a layer of more than two is fetched in ranges of this size
  std::size_t connections_of_a_layer = 3;  ///< at most, for a layer in ranges
  std::chrono::milliseconds connect_timeout{15'000};
  std::chrono::milliseconds stall_timeout{30'000};  ///< without a byte
  int attempts = 5;                                 ///< of one request, with back-off in between
  std::chrono::milliseconds first_backoff{500};     ///< doubles; a Retry-After wins, up to `longest_wait`
  std::chrono::milliseconds longest_wait{60'000};
  /// What the registry inside this daemon knows us by: what it may take from the engine is not sent. Empty: it is sent.
  std::shared_ptr<image::Vouchers> vouchers;
};

/// What happens to one layer, or to the whole. In brackets: what docker says.
enum class Step {
  resolving,  ///< the reference; `id` is its tag or digest                    [Pulling from PATH]
  preparing,  ///< push: known to be needed                                    [Preparing]
  waiting,    ///< its turn comes                                              [Pulling fs layer / Waiting]
  exists,     ///< nothing to do: here (pull) or there (push) already          [Already exists / Layer already exists]
  mounted,    ///< push: taken over from `detail`, a repository there          [Mounted from DETAIL]
  receiving,  ///< `current` of `total` compressed bytes; written as they come [Downloading]
  sending,    ///< `current` of `total` compressed bytes                       [Pushing]
  retrying,   ///< after `detail`; `current` seconds from now                  [Retrying in N seconds]
  finishing,  ///< all bytes are here and being written                        [Extracting]
  complete,   ///< durable (pull) or accepted (push)                           [Pull complete / Pushed]
};
BOOST_DESCRIBE_ENUM(Step, resolving, preparing, waiting, exists, mounted, receiving, sending, retrying, finishing,
                    complete)

struct Progress {
  std::string id;  ///< first 12 digits of the layer's digest; the tag or digest for `resolving`
  Step step = Step::waiting;
  std::uint64_t current = 0;
  std::uint64_t total = 0;  ///< 0: unknown
  std::string detail;
};

/// Called from any thread, one call at a time, a few times a second for each layer. Must not block or throw. Not
/// called any more when the task has ended.
using ProgressSink = std::function<void(const Progress&)>;

enum class PullPolicy {
  always,   ///< ask the registry what the name means now; layers that are here are not fetched
  missing,  ///< only when the name is not here
  never,    ///< Error not_found when it is not here
};
BOOST_DESCRIBE_ENUM(PullPolicy, always, missing, never)

struct PullRequest {
  std::string reference;  ///< "debian", "debian:bookworm", "host:5000/x@sha256:..."
  std::optional<Credentials> credentials;
  std::optional<Platform> platform;  ///< unset: this machine's
  PullPolicy policy = PullPolicy::always;
};

struct PullResult {
  image::ImageInfo image;
  std::string reference;  ///< familiar form
  std::string digest;     ///< of what the name means at the registry: the index, when it is one. [Digest: ...]
  bool changed = false;   ///< the name means something new here. [Status: Downloaded newer image for ... / Image is up
                          ///< to date for ...]
  std::uint64_t received = 0;  ///< bytes of layers off the wire
};

struct PushRequest {
  std::string reference;  ///< an image by name, with its tag; where to comes from the name
  std::optional<Credentials> credentials;
};

struct PushResult {
  std::string reference;   ///< familiar form
  std::string repository;  ///< "docker.io/library/debian". [The push refers to repository [...]]
  std::string tag;
  std::string digest;      ///< of the manifest. [TAG: digest: DIGEST size: SIZE]
  std::uint64_t size = 0;  ///< of the manifest
  std::uint64_t sent = 0;  ///< bytes of layers on the wire
  /// Layers whose compressed form had to be made anew, so that they have another digest there than where they came
  /// from. The image id is the same all the same.
  std::vector<std::string> recompressed;
};

struct CopyRequest {
  std::string source, target;  ///< references; the target's tag is where it goes
  std::optional<Platform> platform;
  bool all = false;        ///< an index with all it lists, instead of the image for the platform
  bool referrers = false;  ///< and what is about what goes: signatures, attestations
  Logins logins;
};

struct CopyResult {
  std::string source, target;   ///< familiar form
  std::string digest;           ///< the same at both ends
  std::uint64_t manifests = 0;  ///< below an index
  std::uint64_t referrers = 0;  ///< manifests about others
  std::uint64_t blobs = 0;
  std::uint64_t sent = 0;  ///< bytes; what was there, or was taken over there, is not sent
};

struct VerifyRequest {
  std::vector<std::string> images;  ///< names or ids; empty: all, and what belongs to none
  bool repair = false;
  Logins logins;
};

/// What a name means at its registry.
struct Described {
  std::string media_type;  ///< of the manifest or index
  std::string digest;
  std::uint64_t size = 0;
  std::vector<Platform> platforms;
};

struct FoundImage {
  std::string name;
  std::string description;
  std::int64_t stars = 0;
  bool official = false;
};

class Registry {
 public:
  Registry(asio::any_io_executor executor, image::ImageStore& images, Options options = {});
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;
  ~Registry();  ///< must have been closed

  /// The image is there completely, durably and under its name when this returns; nothing new is visible when it
  /// throws (layers that were complete stay until the next garbage collection, and are not fetched again). Pulls of one
  /// name and platform at once by the same user share the work; it ends early when the last who waits is cancelled.
  ///
  /// Errors: not_found (no such repository, tag or platform; the fix lists those there are), unauthenticated, denied,
  /// exhausted (rate limit, with the registry's own reason; disk full), unavailable, timeout, invalid (what arrived is
  /// not what its digest says, or no image).
  task<PullResult> pull(PullRequest request, ProgressSink progress = {});

  /// Layers that are there are not sent. Errors as for `pull`.
  task<PushResult> push(PushRequest request, ProgressSink progress = {});

  /// From one registry to another, without unpacking and without keeping anything here. Digests stay the same.
  task<CopyResult> copy(CopyRequest request, ProgressSink progress = {});

  /// Compares images with their digests (ImageStore::check). With `repair`, what is damaged comes anew from a registry
  /// that had it, or can be made again here, or is removed when nobody has it; the report says for each, and what to do
  /// about the rest. `progress` is called from another thread, also after the task was cancelled.
  task<image::CheckReport> verify(VerifyRequest request, image::ProgressSink progress);

  /// Whether the registry accepts these. Throws unauthenticated when not. Returns what to keep instead of the password
  /// when the registry gives such a thing (an identity token), else "".
  task<std::string> login(std::string server, Credentials credentials);

  /// Tags of a repository, at most `limit`, in the registry's order.
  task<std::vector<std::string>> tags(std::string repository, std::optional<Credentials> credentials,
                                      std::size_t limit = 10'000);

  /// Nothing is fetched but what says this. Errors as for `pull`.
  task<Described> describe(std::string reference, std::optional<Credentials> credentials);

  /// "host/words" asks that host, anything else Docker Hub. Error unsupported: it has no search.
  task<std::vector<FoundImage>> search(std::string term, std::optional<Credentials> credentials, std::size_t limit);

  /// The content behind an http or https URL, into a new file (ADD in builds). Redirects are followed.
  task<> fetch(std::string url, std::filesystem::path into);

  task<> close();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace gantry::registry
