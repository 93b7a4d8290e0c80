#pragma once

#include <boost/describe.hpp>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "context.h"

namespace gantry::cli {

/// build::Options, as the API takes it.
struct BuildOptions {
  std::string dockerfile = "Dockerfile";  ///< path inside the context
  std::optional<std::string> dockerfile_text;
  std::vector<std::string> tags;
  std::string target;
  std::map<std::string, std::string> arguments;
  std::map<std::string, std::string> labels;
  bool no_cache = false;
};
BOOST_DESCRIBE_STRUCT(BuildOptions, (), (dockerfile, dockerfile_text, tags, target, arguments, labels, no_cache))

/// build::Step, as the API sends it.
struct BuildStep {
  int number = 0;
  int count = 0;
  std::string text;
  bool cached = false;
  std::string output;
  std::string image;
};
BOOST_DESCRIBE_STRUCT(BuildStep, (), (number, count, text, cached, output, image))

/// Turns the steps of one build into lines of a display. `label` stands before each ("web"), when not empty.
class BuildDisplay {
 public:
  BuildDisplay(Progress& progress, std::string label) : progress_(progress), label_(std::move(label)) {}
  void sent(std::uint64_t bytes, bool complete);
  void show(const BuildStep& step);
  void succeeded();
  void failed();

 private:
  void close(Mark mark);
  std::string name(std::string_view text) const;
  Progress& progress_;
  std::string label_;
  int number_ = 0;
  ProgressItem item_;
};

/// Where a Dockerfile is, relative to the context when it is inside (and not excluded), else as text.
/// Throws Error (not_found) for one that is not there, (exhausted) for text too long to be sent on its own.
void locate_dockerfile(BuildOptions& options, const std::filesystem::path& context_root,
                       const std::filesystem::path& dockerfile);

/// Sends the directory as context and follows the build. Returns the image's id.
task<std::string> build_directory(Context& context, std::filesystem::path root, BuildOptions options,
                                  Progress& progress, std::string label);
/// The same with a tar archive from our standard input.
task<std::string> build_from_stdin(Context& context, BuildOptions options, Progress& progress);

}  // namespace gantry::cli
