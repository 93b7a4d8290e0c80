#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "change_watch.h"
#include "gantry/compose/compose.h"
#include "gantry/engine/engine.h"
#include "gantry/platform/stack_manager.h"

namespace gantry::platform {

/// Makes one stack on the embedded engine equal to one release: compares what is wanted with what is, and acts on the
/// difference only. Holds nothing that outlives the operation.
class Reconciler {
 public:
  Reconciler(engine::Engine& engine, ChangeWatch& watch, compose::Stack stack, std::int64_t release, UpOptions options,
             StepSink sink);

  /// Networks, volumes, then services level by level, then what is wanted no more goes.
  task<> bring_up();
  /// After a restart of the daemon or the machine: only what a crash took away is started again; a service that had
  /// ended by itself stays ended.
  task<> resume();

 private:
  task<> ensure_networks();
  task<> ensure_volumes();
  task<> ensure_service(std::string name);
  task<> ensure_replica(const compose::Service* service, std::uint32_t index, std::string hash,
                        std::vector<engine::ContainerInfo> existing);
  task<> inherit_volumes(engine::ContainerSpec* spec);
  task<> start(ContainerId id, std::string name);
  task<> wait_for_dependencies(const compose::Service* service);
  task<> wait_until_up(std::string service);
  task<> remove_orphans();
  task<> remove_unused_networks();

  std::vector<engine::ContainerInfo> containers_of(const std::string& service) const;
  bool dependency_met(const std::string& service, compose::DependencyCondition condition) const;
  void step(std::string kind, std::string name, std::string status, std::string detail = {}) const;

  engine::Engine& engine_;
  ChangeWatch& watch_;
  compose::Stack stack_;  ///< what is to be acted on
  compose::Stack whole_;  ///< the release, also what `options.services` leaves alone
  std::int64_t release_;
  UpOptions options_;
  StepSink sink_;
};

/// Removes the containers, networks and, when asked, volumes of a stack; `levels` orders the services.
task<> bring_down(engine::Engine& engine, std::string stack, std::vector<std::vector<std::string>> levels,
                  std::vector<std::string> volumes, DownOptions options, StepSink sink);

/// Stops, then removes one container, reporting both.
task<> remove_container(engine::Engine& engine, engine::ContainerInfo container, std::optional<Duration> grace,
                        bool volumes, StepSink sink);

}  // namespace gantry::platform
