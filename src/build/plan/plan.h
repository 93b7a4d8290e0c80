#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "dockerfile/dockerfile.h"
#include "dockerfile/file_mode.h"
#include "dockerfile/git_source.h"
#include "dockerfile/mount_flag.h"
#include "gantry/build/builder.h"
#include "gantry/image/image_store.h"
#include "gantry/oci/image_spec.h"
#include "gantry/oci/platform.h"

/// What a build will do, decided before its first step: the stages that the target needs, in order, every variable
/// replaced, every base image found. Pure but for `find_image`.
namespace gantry::build {

/// Where COPY --from and RUN --mount=from take files; neither: the build context.
struct Origin {
  std::optional<std::size_t> stage;  ///< index into Dockerfile::stages
  std::optional<image::ImageInfo> image;
  bool is_context() const { return !stage && !image; }
};

struct MountPlan {
  MountFlag flag;      ///< secrets and agents that the client gave nothing for are left out; else `id` is set
  std::string target;  ///< absolute and clean; empty: a secret that is a variable only
  Origin from;
  Word source;  ///< as in a COPY
  bool has_source() const { return flag.kind == MountKind::bind || !flag.source.empty() || !flag.from.empty(); }
};

struct RunPlan {
  std::vector<std::string> argv;
  std::string script;                    ///< not empty: a here-document with its own interpreter, run in place of argv
  std::vector<std::string> environment;  ///< ENV and ARG
  std::vector<std::string> key_environment;  ///< the same without proxy settings, which no cache depends on
  std::string user;
  std::string working_dir;
  std::vector<MountPlan> mounts;
  std::string network;  ///< default, none, host; empty: as the build says
};

struct RemoteFile {
  std::string url;
  std::string name;      ///< last part of its path
  std::string checksum;  ///< "sha256:...", of a repository the commit; empty: none was given
  SourcePlace place;
  std::optional<GitSource> git;  ///< it is a repository
  bool keep_git = false;
};

struct InlineFile {
  std::string name;
  std::string content;
};

struct CopyPlan {
  bool extract_archives = false;  ///< ADD, unless it says --unpack=false
  bool extract_remote = false;    ///< ADD --unpack=true
  bool parents = false;           ///< --parents: with the directories that lead to a source
  Origin from;
  std::vector<Word> sources;  ///< variables replaced
  std::vector<std::string> excludes;
  std::vector<RemoteFile> remote;
  std::vector<InlineFile> files;
  std::string destination;  ///< absolute and clean, but for a trailing '/', which means something
  std::string owner;        ///< as find_owner takes it; empty: root
  std::optional<FileMode> mode;
  bool link = false;  ///< --link: a layer for itself, whatever is below
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

using oci::Platform;

struct PlannedStage {
  std::size_t index = 0;  ///< in Dockerfile::stages
  std::string name;       ///< empty: it has none
  std::optional<std::size_t> base_stage;
  std::vector<std::string> base_layers;  ///< of the base image
  std::vector<PlannedStep> steps;        ///< the first is FROM itself
  Platform platform;                     ///< of its programs
  oci::ImageConfig config;               ///< at the end; without rootfs and the history of its own steps
};

struct Plan {
  std::vector<PlannedStage> stages;  ///< in the order to build them; the target is the last
  int step_count = 0;
  std::vector<std::string> notes;
  std::optional<std::int64_t> source_date_epoch;

  const PlannedStage& stage(std::size_t index) const;
};

/// Throws Error not_found or invalid.
using FindImage = std::function<image::ImageInfo(const std::string& reference, const Platform& platform)>;

/// Error invalid with every finding; Error not_found when the target is no stage.
/// `platform`: of this machine.
Plan make_plan(const Dockerfile& file, const Options& options, const Platform& platform, const FindImage& find_image);

}  // namespace gantry::build
