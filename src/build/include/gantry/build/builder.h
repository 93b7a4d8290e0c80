#pragma once

#include <boost/describe.hpp>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gantry/base/async.h"
#include "gantry/base/error.h"
#include "gantry/build/provenance.h"
#include "gantry/image/image_store.h"
#include "gantry/store/store.h"

/// The build module owns Dockerfile -> image: parser, stages, layer cache by content. It does not start containers
/// itself: the engine gives it an Executor, so that a RUN step goes the same road as every container.
namespace gantry::build {

store::Schema schema();

/// What the RUN steps of one build may use, on top of the executor's own budget. Unset: as the executor says.
struct Limits {
  std::optional<std::uint64_t> memory;       ///< bytes
  std::optional<std::uint64_t> memory_swap;  ///< bytes, memory and swap together
  std::optional<std::uint64_t> cpu_shares, cpu_period;
  std::optional<std::int64_t> cpu_quota;
  std::optional<std::string> cpuset, cpuset_mems;
  std::optional<std::uint64_t> shm_size;  ///< bytes
};
BOOST_DESCRIBE_STRUCT(Limits, (),
                      (memory, memory_swap, cpu_shares, cpu_period, cpu_quota, cpuset, cpuset_mems, shm_size))

struct Ulimit {
  std::string name;        ///< nofile, nproc, ... (without RLIMIT_)
  std::uint64_t soft = 0;  ///< 2^64 - 1: unlimited
  std::uint64_t hard = 0;
};
BOOST_DESCRIBE_STRUCT(Ulimit, (), (name, soft, hard))

/// What the client lends a build for as long as it runs. In no layer, cache key, table or log.
struct Grants {
  std::map<std::string, std::string> secrets;           ///< id -> content
  std::map<std::string, std::filesystem::path> agents;  ///< id -> socket that leads to the client's SSH agent
};

struct Options {
  std::string dockerfile = "Dockerfile";  ///< path inside the context
  std::optional<std::string> dockerfile_text;
  std::vector<std::string> tags;
  std::string target;
  std::map<std::string, std::string> arguments;
  std::map<std::string, std::string> labels;
  bool no_cache = false;
  bool pull = false;                     ///< ask registries what base images are now, also when they are here
  std::string platform;                  ///< of base images; empty: this machine's
  std::string network;                   ///< of RUN steps without --network: default, none or host; empty: default
  std::vector<std::string> extra_hosts;  ///< "name:address"
  Limits limits;
  std::vector<Ulimit> ulimits;
  std::vector<std::string> no_cache_filter;  ///< stages whose steps run again
  std::vector<std::string> cache_from;       ///< images with cached steps (`cache_to`, `cache_inline`)
  std::string cache_to;                      ///< name for an image that holds all steps of this build
  bool cache_inline = false;                 ///< the built image itself says which steps its layers are
  std::optional<Checkout> source;            ///< what the client knows about the context
  std::shared_ptr<const Grants> grants;      ///< in no JSON
};
BOOST_DESCRIBE_STRUCT(Options, (),
                      (dockerfile, dockerfile_text, tags, target, arguments, labels, no_cache, pull, platform, network,
                       extra_hosts, limits, ulimits, no_cache_filter, cache_from, cache_to, cache_inline, source))

/// What a build tells while it runs. Stages that do not need each other run side by side, and so do their steps.
struct Step {
  int number = 0;  ///< from 1; 0: not about a step
  int count = 0;
  std::string text;  ///< the instruction as written, on its first message
  bool cached = false;
  std::string output;  ///< what RUN printed
  std::string image;   ///< last message: the image's id
  std::string layer;   ///< last message about a step: the layer on top after it; empty when there is none yet
  bool done = false;   ///< it is the last message about this step
};
BOOST_DESCRIBE_STRUCT(Step, (), (number, count, text, cached, output, image, layer, done))
using StepSink = std::function<void(const Step&)>;  ///< called on the control thread

/// A mount of one RUN.
struct RunMount {
  std::filesystem::path source;  ///< on the host; empty: memory only
  std::string target;
  bool read_only = false;
  std::optional<std::uint64_t> size;  ///< of memory, bytes
};

/// One RUN: the layers below, a writable directory, and the program. Implemented by the engine with an ordinary,
/// isolated, network-connected container under its own limits.
struct RunRequest {
  std::vector<std::string> layers;  ///< diff ids, lowest first
  std::filesystem::path upper;      ///< what the step changes ends up here, in overlayfs form
  std::filesystem::path work;
  std::vector<std::string> argv;
  std::vector<std::string> environment;
  std::string user;
  std::string working_dir;
  std::vector<RunMount> mounts;
  std::string network;  ///< default, none, host
  std::vector<std::string> extra_hosts;
  Limits limits;
  std::vector<Ulimit> ulimits;
};

class Executor {
 public:
  virtual ~Executor() = default;
  /// Runs to the end, passing on what it prints. Returns the exit code. Cancelling the task kills it.
  virtual task<int> run(RunRequest request, std::function<void(std::string_view)> output) = 0;
};

/// A RUN that ended with another exit code than 0 (kind invalid, or exhausted when the disk is full).
class CommandError : public Error {
 public:
  CommandError(Error error, std::vector<std::string> argv, int code)
      : Error(std::move(error)), argv_(std::move(argv)), code_(code) {}
  const std::vector<std::string>& argv() const { return argv_; }
  int code() const { return code_; }

 private:
  std::vector<std::string> argv_;
  int code_;
};

/// What a build takes from the network. Called on the control thread.
class Remote {
 public:
  virtual ~Remote() = default;
  /// The image is in the store under its name afterwards. `tell` gets lines for people.
  virtual task<> pull(std::string reference, std::string platform, std::function<void(std::string)> tell) = 0;
  /// The content behind an http or https URL, into a new file.
  virtual task<> fetch(std::string url, std::filesystem::path into) = 0;
};

class Builder {
 public:
  /// `scratch_dir` is on the file system of the layers. Without `remote` base images must be here, and ADD takes no
  /// URL. `memory_dir` is on a tmpfs: secrets are shown to steps from there; empty: builds with secrets are refused.
  Builder(WorkerPool& pool, store::Database& database, image::ImageStore& images, Executor& executor,
          std::filesystem::path scratch_dir, Remote* remote = nullptr, std::filesystem::path memory_dir = {});
  ~Builder();
  /// Removes what a crash left in these directories. Call once at start, when no step of a build runs any more.
  void recover();

  /// Builds from an unpacked context directory, with `remote` instead of the builder's own when it is given (and
  /// outlives the build). All mistakes in the Dockerfile are found before the first step: Error
  /// invalid with findings. A failing RUN is a CommandError that names the step, the command and the exit code.
  task<image::ImageInfo> build(std::filesystem::path context, Options options, StepSink sink, Remote* remote = nullptr);

  /// Where an image came from; nullopt: it was not built here. Blocking.
  std::optional<Provenance> provenance(const std::string& image) const;
  /// The files of an image as its layers make them up, in the directory "root" of a new one that the caller removes.
  /// Blocking.
  std::filesystem::path unpack_image(const std::string& reference);

  /// What builds keep to be faster next time: the directories of cache mounts, and layers that no image has.
  struct CacheUsage {
    std::uint64_t mounts = 0;  ///< bytes
    std::uint64_t layers = 0;
  };
  task<CacheUsage> cache_usage();
  /// Gives that back, but for what builds use now. Returns bytes.
  task<std::uint64_t> prune_cache();
  /// The same, what was used longest ago first, until no more than `target` bytes are kept.
  task<std::uint64_t> shrink_cache(std::uint64_t target);

  /// A build context from elsewhere.
  struct Context {
    std::filesystem::path directory;        ///< a new one that the caller removes
    std::filesystem::path root;             ///< in it
    std::optional<std::string> dockerfile;  ///< the URL gave nothing but this
    std::optional<Checkout> source;         ///< it was a repository
  };
  /// A Git repository ("https://host/path.git#ref:directory"), a tar archive, or a Dockerfile. With `remote` instead of
  /// the builder's own when it is given. Error invalid: not such a URL.
  task<Context> fetch_context(std::string url, Remote* remote = nullptr);
  /// Unpacks a context archive (tar, possibly compressed) read from `fd` into a new directory under the scratch
  /// directory, refusing names that leave it. Blocking. The caller removes the directory.
  std::filesystem::path unpack_context(int fd);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gantry::build
