#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gantry/base/files.h"
#include "gantry/build/builder.h"
#include "layer/copy_sources.h"
#include "layer/tree_view.h"
#include "layer_cache.h"
#include "plan/plan.h"

namespace gantry::build {

/// One build. All of it blocks: called on the pool, one call at a time. Its directory below `scratch` is removed with
/// it, and with it everything a failed step has written.
class Session {
 public:
  Session(image::ImageStore& images, LayerCache& cache, std::filesystem::path scratch, std::filesystem::path context,
          Options options);

  /// Reads and checks everything. Error invalid with findings.
  void prepare();
  const Plan& plan() const { return plan_; }

  struct Prepared {
    bool cached = false;
    std::string key;
    std::optional<RunRequest> run;  ///< to be run by the executor, then finish_run
  };
  /// Looks a step that makes a layer up in the cache; otherwise carries out COPY and WORKDIR, or gets RUN ready.
  Prepared begin(const PlannedStage& stage, const PlannedStep& step);
  /// The step's upper directory becomes a layer.
  void finish_run(const PlannedStage& stage, const PlannedStep& step, const std::string& key);
  /// A step that only changes the configuration.
  void note(const PlannedStage& stage, const PlannedStep& step) { record(stage, step, false); }
  /// The image, then its tags, all of them at once when it is there.
  image::ImageInfo commit();

  /// Why a RUN step failed.
  Error command_failure(int code) const;

  /// Removes what the steps have left. After a failure for want of space also the layers that this build made: they
  /// would only have been cache. Never throws.
  void discard(const Error* failure) noexcept;

 private:
  struct Work {
    std::filesystem::path directory;
    std::filesystem::path upper() const { return directory / "upper"; }
    std::filesystem::path work() const { return directory / "work"; }
  };

  struct Progress {
    std::vector<std::string> layers;
    std::vector<oci::History> history;
  };
  Progress& progress_of(const PlannedStage& stage);
  std::vector<std::filesystem::path> paths_of(const std::vector<std::string>& diff_ids) const;
  std::string read_dockerfile(const TreeView& context) const;
  void read_rules(const TreeView& context);
  void hold_images();
  void check_sources() const;
  TreeView context_view() const;
  TreeView source_view(const CopyPlan& copy) const;
  std::string source_name(const CopyPlan& copy) const;
  Work new_work(const std::vector<std::string>& layers);
  void take_layer(const PlannedStage& stage, const PlannedStep& step, const std::string& key, const Work& work);
  void drop(const Work& work);
  bool disk_is_full() const;
  void record(const PlannedStage& stage, const PlannedStep& step, bool layer);
  Prepared begin_copy(const PlannedStage& stage, const PlannedStep& step);
  Prepared begin_directory(const PlannedStage& stage, const PlannedStep& step);
  Prepared begin_run(const PlannedStage& stage, const PlannedStep& step);
  bool from_cache(const PlannedStage& stage, const PlannedStep& step, const std::string& key);
  std::string created() const;

  image::ImageStore& images_;
  LayerCache& cache_;
  std::filesystem::path context_;
  Options options_;
  std::filesystem::path scratch_root_;
  std::optional<TemporaryDirectory> scratch_;
  std::shared_ptr<image::ImageStore::Lease> lease_;
  std::optional<std::set<std::string>> included_;  ///< of the context, when there are rules
  Plan plan_;
  std::map<std::size_t, Progress> progress_;  ///< by stage
  std::vector<std::string> made_;             ///< layers that were not in the cache
  std::optional<Work> work_;                  ///< of the RUN that is under way
};

}  // namespace gantry::build
