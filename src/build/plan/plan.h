#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "dockerfile/dockerfile.h"
#include "gantry/build/builder.h"
#include "gantry/image/image_store.h"
#include "gantry/oci/image_spec.h"

/// What a build will do, decided before its first step: the stages that the target needs, in order, every variable
/// replaced, every base image found. Pure but for `find_image`.
namespace gantry::build {

struct RunPlan {
  std::vector<std::string> argv;
  std::string script;                    ///< not empty: a here-document with its own interpreter, run in place of argv
  std::vector<std::string> environment;  ///< ENV and ARG
  std::vector<std::string> key_environment;  ///< the same without proxy settings, which no cache depends on
  std::string user;
  std::string working_dir;
};

struct InlineFile {
  std::string name;
  std::string content;
};

struct CopyPlan {
  bool extract_archives = false;          ///< ADD
  std::optional<std::size_t> from_stage;  ///< index into Dockerfile::stages
  std::optional<image::ImageInfo> from_image;
  std::vector<Word> sources;  ///< variables replaced
  std::vector<InlineFile> files;
  std::string destination;  ///< absolute and clean, but for a trailing '/', which means something
  std::string owner;        ///< as find_owner takes it; empty: root
  std::optional<unsigned> mode;
};

struct DirectoryPlan {
  std::string path;
  std::string user;
};

struct PlannedStep {
  int number = 0;
  std::string text;  ///< for people
  SourcePlace place;
  std::string history;  ///< created_by
  std::optional<RunPlan> run;
  std::optional<CopyPlan> copy;
  std::optional<DirectoryPlan> directory;
  bool makes_layer() const { return run || copy || directory; }
};

struct PlannedStage {
  std::size_t index = 0;  ///< in Dockerfile::stages
  std::optional<std::size_t> base_stage;
  std::vector<std::string> base_layers;  ///< of the base image
  std::vector<PlannedStep> steps;        ///< the first is FROM itself
  oci::ImageConfig config;               ///< at the end; without rootfs and the history of its own steps
};

struct Plan {
  std::vector<PlannedStage> stages;  ///< in the order to build them; the target is the last
  int step_count = 0;
  std::vector<std::string> notes;
  std::optional<std::int64_t> source_date_epoch;

  const PlannedStage& stage(std::size_t index) const;
};

struct Platform {
  std::string os = "linux";
  std::string architecture;
  std::string variant;
  /// Of this machine.
  static Platform current();
  std::string str() const;
};

/// Throws Error not_found or invalid.
using FindImage = std::function<image::ImageInfo(const std::string& reference)>;

/// Error invalid with every finding; Error not_found when the target is no stage.
Plan make_plan(const Dockerfile& file, const Options& options, const Platform& platform, const FindImage& find_image);

}  // namespace gantry::build
