#pragma once

#include <boost/describe.hpp>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "build_grants.h"
#include "context.h"
#include "gantry/engine/types.h"
#include "git_facts.h"

namespace gantry::cli {

/// build::Limits, as the API takes them.
struct BuildLimits {
  std::optional<std::uint64_t> memory;
  std::optional<std::uint64_t> memory_swap;
  std::optional<std::uint64_t> cpu_shares, cpu_period;
  std::optional<std::int64_t> cpu_quota;
  std::optional<std::string> cpuset;
  std::optional<std::uint64_t> shm_size;
};
BOOST_DESCRIBE_STRUCT(BuildLimits, (), (memory, memory_swap, cpu_shares, cpu_period, cpu_quota, cpuset, shm_size))

/// build::Options, as the API takes it.
struct BuildOptions {
  std::string dockerfile = "Dockerfile";  ///< path inside the context
  std::optional<std::string> dockerfile_text;
  std::vector<std::string> tags;
  std::string target;
  std::map<std::string, std::string> arguments;
  std::map<std::string, std::string> labels;
  bool no_cache = false;
  bool pull = false;
  std::string platform;
  std::string network;
  std::vector<std::string> extra_hosts;
  BuildLimits limits;
  std::vector<engine::Ulimit> ulimits;
  std::vector<std::string> no_cache_filter;
  std::vector<std::string> cache_from;
  std::string cache_to;
  bool cache_inline = false;
  std::optional<GitFacts> source;
};
BOOST_DESCRIBE_STRUCT(BuildOptions, (),
                      (dockerfile, dockerfile_text, tags, target, arguments, labels, no_cache, pull, platform, network,
                       extra_hosts, limits, ulimits, no_cache_filter, cache_from, cache_to, cache_inline, source))

/// build::Step, as the API sends it.
struct BuildStep {
  int number = 0;
  int count = 0;
  std::string text;
  bool cached = false;
  std::string output;
  std::string image;
  bool done = false;
};
BOOST_DESCRIBE_STRUCT(BuildStep, (), (number, count, text, cached, output, image, done))

/// Turns the steps of one build, several of which may be under way, into lines of a display. `label` stands before each
/// ("web"), when not empty.
class BuildDisplay {
 public:
  BuildDisplay(Progress& progress, std::string label) : progress_(progress), label_(std::move(label)) {}
  void sent(std::uint64_t bytes, bool complete);
  void show(const BuildStep& step);
  void succeeded();
  void failed();

 private:
  void close(int number, Mark mark);
  void close_all(Mark mark);
  std::string name(std::string_view text) const;
  Progress& progress_;
  std::string label_;
  std::map<int, ProgressItem> open_;  ///< by number
};

/// Where a Dockerfile is, relative to the context when it is inside (and not excluded), else as text.
/// Throws Error (not_found) for one that is not there, (exhausted) for text too long to be sent on its own.
void locate_dockerfile(BuildOptions& options, const std::filesystem::path& context_root,
                       const std::filesystem::path& dockerfile);

/// A build's context: a directory here, a tar archive from our standard input, or what the daemon fetches.
struct BuildContext {
  std::filesystem::path directory;
  bool from_stdin = false;
  std::string url;
};

/// Sends the context, lends the build what it needs and follows it. Returns the daemon's image::ImageInfo.
task<boost::json::value> run_build(Context& context, BuildContext from, BuildOptions options, BuildGrants grants,
                                   Progress& progress, std::string label);

}  // namespace gantry::cli
