#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "cache_label.h"
#include "gantry/base/files.h"
#include "gantry/build/builder.h"
#include "gantry/oci/passwd.h"
#include "git_checkout.h"
#include "layer/copy_sources.h"
#include "layer/key.h"
#include "layer/tree_view.h"
#include "layer_cache.h"
#include "plan/plan.h"

namespace gantry::build {

/// Where builds may write.
struct Places {
  std::filesystem::path scratch;  ///< on the file system of the layers
  std::filesystem::path memory;   ///< on a tmpfs; empty: there is none
};

/// One build. All of it blocks: called on the pool; one call at a time for each stage, and none for a stage before
/// those it takes from have ended. Its directories are removed with it, and with them everything a failed step has
/// written.
class Session {
 public:
  Session(image::ImageStore& images, LayerCache& cache, Places places, std::filesystem::path context, Options options);

  /// Reads and checks everything. Error invalid with findings.
  void prepare();
  const Plan& plan() const { return plan_; }
  /// False when the steps of this stage are to run whatever was cached.
  bool uses_cache(const PlannedStage& stage) const;

  struct NamedImage {
    std::string reference;
    std::string platform;  ///< empty: this machine's
  };
  /// The images that the stages to be built name, whether they are here or not.
  std::vector<NamedImage> images_named();

  /// A cache mount of a RUN: which of its mounts gets the directory, once it is taken.
  struct CacheNeed {
    std::size_t mount = 0;
    MountPlan plan;
  };
  struct Prepared {
    bool cached = false;
    std::string key;
    std::optional<RunRequest> run;  ///< to be run by the executor, then finish_run
    std::vector<CacheNeed> caches;  ///< of `run`
    std::string variables;          ///< of `run`, for a shell: what secrets are to be in its environment
    std::vector<RemoteFile> fetch;  ///< not empty: give these to `fetched`, then begin again
  };
  /// Looks a step that makes a layer up in the cache; otherwise carries out COPY and WORKDIR, or gets RUN ready.
  Prepared begin(const PlannedStage& stage, const PlannedStep& step);
  /// The client's SSH agent, for repositories; empty: none was lent.
  std::filesystem::path agent() const;
  /// Where a file of this URL is to be fetched to.
  std::filesystem::path place_for(const RemoteFile& file);
  /// It is there. Error invalid when its digest is not the one that was asked for.
  void fetched(const RemoteFile& file, const std::filesystem::path& path);
  /// The same for a repository.
  void checked_out(const RemoteFile& file, const GitTree& tree);
  /// Makes a cache's directory what the mount wants, when it is new.
  void prepare_cache(const MountPlan& plan, const std::filesystem::path& directory);
  /// The layer on top of a stage's layers so far; empty when there is none.
  std::string top_layer(const PlannedStage& stage);

  /// The step's upper directory becomes a layer.
  void finish_run(const PlannedStage& stage, const PlannedStep& step, const std::string& key);
  /// A step that only changes the configuration.
  void note(const PlannedStage& stage, const PlannedStep& step) { record(stage, step, false); }
  /// The image, then its tags, all of them at once when it is there.
  image::ImageInfo commit();

  /// Takes over the steps that an image says its layers are. False: it says nothing. Error not_found: no such image.
  bool import_cache(const std::string& reference);

  /// Where it came from, but for who built it. After `prepare`.
  Provenance provenance() const;

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
    std::vector<std::vector<std::string>> stubs{};  ///< paths that mounts need and the image has not; deepest first
  };

  struct Progress {
    bool begun = false;
    std::vector<std::string> layers;
    std::vector<oci::History> history;
    std::string created;       ///< when the newest of it was made
    std::optional<Work> work;  ///< of the RUN that is under way
  };
  struct Fetched {
    std::filesystem::path path;
    std::string digest;
  };
  Progress& progress_of(const PlannedStage& stage);
  std::vector<std::filesystem::path> paths_of(const std::vector<std::string>& diff_ids) const;
  std::string read_dockerfile(const TreeView& context) const;
  void read_rules(const TreeView& context);
  void hold_images();
  void hold_image(const Origin& from);
  void check_sources() const;
  TreeView context_view() const;
  TreeView source_view(const Origin& from) const;
  TreeView source_view(const CopyPlan& copy, std::vector<SourceMatch>& matches) const;
  std::string source_name(const Origin& from) const;
  std::filesystem::path show(const MountPlan& mount);
  std::filesystem::path copy_out(const MountPlan& mount, const TreeView& view, const SourceMatch& match,
                                 const std::filesystem::path& into);
  void add_mounts(const RunPlan& run, Work& work, Prepared& out);
  Prepared fetch_first(const CopyPlan& copy, bool checked) const;
  Work new_work(const std::vector<std::string>& layers);
  void take_layer(const PlannedStage& stage, const PlannedStep& step, const std::string& key, const Work& work);
  void drop(const Work& work);
  bool disk_is_full() const;
  void record(const PlannedStage& stage, const PlannedStep& step, bool layer);
  oci::Owner owner_of(const CopyPlan& copy, const TreeView& image) const;
  std::string key_of_copy(const CopyPlan& copy, const std::vector<SourceMatch>& matches, const TreeView& source,
                          const std::vector<std::string>& below) const;
  void add_link(KeyBuilder& key, const CopyPlan& copy, const std::vector<std::string>& below) const;
  Prepared begin_copy(const PlannedStage& stage, const PlannedStep& step);
  Prepared begin_directory(const PlannedStage& stage, const PlannedStep& step);
  Prepared begin_run(const PlannedStage& stage, const PlannedStep& step);
  void export_cache(oci::ImageConfig config);
  bool from_cache(const PlannedStage& stage, const PlannedStep& step, const std::string& key);
  KeyBuilder key_of(const std::vector<std::string>& layers, std::string_view kind) const;
  std::string created_now() const;
  std::optional<Fetched> fetched_from(const std::string& url) const;
  void lend(const MountPlan& plan, Prepared& out);
  std::filesystem::path memory_file(const std::string& content, const MountFlag& flag);

  image::ImageStore& images_;
  LayerCache& cache_;
  std::filesystem::path context_;
  Options options_;
  Places places_;
  std::optional<TemporaryDirectory> scratch_, memory_;
  std::shared_ptr<image::ImageStore::Lease> lease_;
  std::optional<std::set<std::string>> included_;  ///< of the context, when there are rules
  std::string dockerfile_digest_;
  std::map<std::string, image::ImageInfo> bases_;  ///< by name
  Plan plan_;
  std::map<std::size_t, Progress> progress_;  ///< by stage; all are there from `prepare` on
  mutable std::mutex mutex_;                  ///< of what stages share, below
  std::vector<CachedStep> steps_;             ///< what made a layer, or was found in the cache
  std::vector<std::string> made_;             ///< layers that were not in the cache
  std::map<std::string, Fetched> fetched_;    ///< by URL
};

}  // namespace gantry::build
