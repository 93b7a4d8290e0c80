#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cache_mounts.h"
#include "gantry/build/builder.h"
#include "session.h"

namespace gantry::build {

/// Steps that are being carried out, by cache key: who wants the same one waits and finds it in the cache. Control
/// thread.
using Flights = std::map<std::string, std::shared_ptr<Event>>;

/// What all builds share.
struct Workshop {
  WorkerPool& pool;
  Executor& executor;
  CacheMounts mounts;
  Flights flights;
};

/// Carries out the plan of one build: a task for each stage, which waits for the stages it takes from when it comes to
/// the step that does. When one fails the others are cancelled, and the first failure is thrown. Control thread.
class BuildRun {
 public:
  BuildRun(Workshop& workshop, std::shared_ptr<Session> session, StepSink sink, Remote* remote)
      : shop_(workshop), session_(std::move(session)), sink_(std::move(sink)), remote_(remote) {}
  task<> stages();

 private:
  using Prepared = std::shared_ptr<Session::Prepared>;
  task<> stage(const PlannedStage* stage);
  task<> checked_step(const PlannedStage* stage, const PlannedStep* step);
  task<> step(const PlannedStage* stage, const PlannedStep* step);
  task<Prepared> begin(const PlannedStage* stage, const PlannedStep* step);
  task<> command(const PlannedStage* stage, const PlannedStep* step, Prepared prepared);
  task<std::vector<std::shared_ptr<CacheMounts::Use>>> take_caches(Prepared prepared);
  task<> fetch(RemoteFile file);
  int count() const { return session_->plan().step_count; }

  Workshop& shop_;
  std::shared_ptr<Session> session_;
  StepSink sink_;
  Remote* remote_;
  std::map<std::size_t, std::shared_ptr<Event>> ended_;  ///< by stage
};

}  // namespace gantry::build
