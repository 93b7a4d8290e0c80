#pragma once

#include <unordered_map>

#include "cgroup.h"
#include "gantry/base/files.h"
#include "gantry/runtime/runtime.h"
#include "paths.h"
#include "seccomp_filter.h"
#include "shim_link.h"
#include "standby_pool.h"
#include "words.h"

namespace gantry::runtime {

struct Container {
  std::shared_ptr<ShimLink> link;  ///< null: adopted after its end
  std::filesystem::path state_dir;
  Launcher launcher = Launcher::crun;
  std::optional<ExitRecord> exit;
};

/// Control groups made before their container was known begin like this.
inline constexpr char kStandbyPrefix[] = "standby-";
inline constexpr auto kStepLimit = std::chrono::seconds(60);

struct Runtime::Impl {
  Impl(asio::any_io_executor on, WorkerPool& workers, Config given)
      : executor(std::move(on)),
        pool(workers),
        config(std::move(given)),
        paths(config.run_dir),
        cgroups(config.instance, read_file("/proc/self/mounts")) {
    for (const auto& directory : {config.run_dir, paths.containers(), paths.launcher_root()})
      make_directories(directory, 0700);
  }

  std::shared_ptr<Container> find(const ContainerId& id) const {
    auto found = containers.find(id);
    return found == containers.end() ? nullptr : found->second;
  }
  std::shared_ptr<Container> require(const ContainerId& id) const {
    auto container = find(id);
    if (!container) throw not_running(id);
    return container;
  }
  /// Its shim, while it has one.
  std::shared_ptr<ShimLink> require_link(const ContainerId& id) const {
    auto container = require(id);
    if (!container->link || container->link->gone()) throw not_running(id);
    return container->link;
  }
  /// The same while it is being made, even when that has failed: the link says why.
  std::shared_ptr<ShimLink> require_link_or_failure(const ContainerId& id) const {
    auto container = require(id);
    bool failed = container->link && container->link->gone() && !container->link->reached(shim::State::created);
    return failed ? container->link : require_link(id);
  }
  static Error not_running(const ContainerId& id) {
    return Error(ErrorKind::conflict, "container " + short_id(id) + " is not running", "start it first");
  }

  /// Error (conflict) when a container of this id is there.
  void require_free(const ContainerId& id) const;
  /// Bundle and plan on disk, and the shim that will take it. Blocking.
  std::shared_ptr<Standby> prepare(const Plan& plan);
  /// Of its system calls; empty when it has none.
  std::filesystem::path filter_of(const Plan& plan);
  std::shared_ptr<Standby> prepare_native(const Plan& plan, const oci::runtime::Spec& spec, Words words);
  std::shared_ptr<Standby> start_standby(const oci::runtime::Spec& spec, const std::string& above = {});
  void prepare_exec(const ContainerId& id, const ExecPlan& plan, const std::filesystem::path& directory, pid_t pid,
                    Launcher launcher) const;
  /// Makes `standby` the shim of a prepared directory. Blocking.
  std::shared_ptr<ShimLink> launch(const std::filesystem::path& directory, Standby& standby);
  /// The shim that listens there, or none.
  task<std::shared_ptr<ShimLink>> find_shim(ContainerId id) const;
  /// Waits for the end of the shim of a container whose processes are dead; kills one that does not end.
  task<> end_shim(ContainerId id);
  /// Whatever is left: shims, control group, directories.
  void clear(const ContainerId& id);

  asio::any_io_executor executor;
  WorkerPool& pool;
  Config config;
  Paths paths;
  CgroupTree cgroups;
  FilterStore filters{paths.filters()};
  std::shared_ptr<ShimMaker> shims = std::make_shared<ShimMaker>(config.shim);
  std::shared_ptr<StandbyPool> execs = std::make_shared<StandbyPool>(executor, pool, shims);
  std::unordered_map<ContainerId, std::shared_ptr<Container>> containers;
};

}  // namespace gantry::runtime
