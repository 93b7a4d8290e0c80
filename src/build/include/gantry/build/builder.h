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
#include "gantry/image/image_store.h"
#include "gantry/store/store.h"

/// The build module owns Dockerfile -> image: parser, stages, layer cache by content. It does not start containers
/// itself: the engine gives it an Executor, so that a RUN step goes the same road as every container.
namespace gantry::build {

store::Schema schema();

struct Options {
  std::string dockerfile = "Dockerfile";  ///< path inside the context
  std::optional<std::string> dockerfile_text;
  std::vector<std::string> tags;
  std::string target;
  std::map<std::string, std::string> arguments;
  std::map<std::string, std::string> labels;
  bool no_cache = false;
};
BOOST_DESCRIBE_STRUCT(Options, (), (dockerfile, dockerfile_text, tags, target, arguments, labels, no_cache))

/// What a build tells while it runs.
struct Step {
  int number = 0;  ///< from 1; 0: not about a step
  int count = 0;
  std::string text;  ///< the instruction as written, on its first message
  bool cached = false;
  std::string output;  ///< what RUN printed
  std::string image;   ///< last message: the image's id
};
BOOST_DESCRIBE_STRUCT(Step, (), (number, count, text, cached, output, image))
using StepSink = std::function<void(const Step&)>;  ///< called on the control thread

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
};

class Executor {
 public:
  virtual ~Executor() = default;
  /// Runs to the end, passing on what it prints. Returns the exit code. Cancelling the task kills it.
  virtual task<int> run(RunRequest request, std::function<void(std::string_view)> output) = 0;
};

class Builder {
 public:
  /// `scratch_dir` is on the file system of the layers.
  Builder(WorkerPool& pool, store::Database& database, image::ImageStore& images, Executor& executor,
          std::filesystem::path scratch_dir);
  ~Builder();
  /// Removes what a crash left in the scratch directory. Call once at start.
  void recover();

  /// Builds from an unpacked context directory. All mistakes in the Dockerfile are found before the first step: Error
  /// invalid with findings. A failing RUN is an Error (invalid) that names the step, the command and the exit code.
  task<image::ImageInfo> build(std::filesystem::path context, Options options, StepSink sink);

  /// Unpacks a context archive (tar, possibly compressed) read from `fd` into a new directory under the scratch
  /// directory, refusing names that leave it. Blocking. The caller removes the directory.
  std::filesystem::path unpack_context(int fd);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gantry::build
