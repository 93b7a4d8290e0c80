#pragma once

#include <boost/describe.hpp>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gantry/base/async.h"
#include "gantry/base/time.h"
#include "gantry/compose/compose.h"
#include "gantry/engine/engine.h"
#include "gantry/store/store.h"

/// The platform module turns a resolved stack into running services: stack -> release (immutable row) -> plan (what
/// differs from what is) -> engine. It holds no state that a restart would lose; one operation at a time per stack.
namespace gantry::platform {

store::Schema schema();

struct UpOptions {
  std::vector<std::string> services;  ///< empty: all (and what they depend on)
  bool force_recreate = false;
  bool renew_anon_volumes = false;  ///< a container that is recreated begins with new ones, not with its predecessor's
  bool no_start = false;
  bool remove_orphans = true;
  bool wait = false;  ///< until every service is running or healthy
  Duration timeout = std::chrono::minutes(5);
};
BOOST_DESCRIBE_STRUCT(UpOptions, (),
                      (services, force_recreate, renew_anon_volumes, no_start, remove_orphans, wait, timeout))

struct DownOptions {
  bool volumes = false;  ///< named volumes of the stack too
  std::optional<Duration> grace;
};
BOOST_DESCRIBE_STRUCT(DownOptions, (), (volumes, grace))

/// One line of progress: an object and what happens to it.
struct Step {
  std::string kind;  ///< network, volume, container
  std::string name;
  std::string status;  ///< creating, created, starting, started, waiting, healthy, stopping, removed, unchanged, failed
  std::string detail;
};
BOOST_DESCRIBE_STRUCT(Step, (), (kind, name, status, detail))
using StepSink = std::function<void(const Step&)>;

struct StackInfo {
  std::string name;
  std::string project = "default";
  std::string status;  ///< running, partial, stopped
  int services = 0;
  int containers = 0;
  int running = 0;
  std::int64_t release = 0;
  Timestamp updated{};
};
BOOST_DESCRIBE_STRUCT(StackInfo, (), (name, project, status, services, containers, running, release, updated))

class StackManager {
 public:
  StackManager(asio::any_io_executor executor, store::Database& database, engine::Engine& engine);
  ~StackManager();

  /// Finishes what a crash interrupted: brings stacks whose wanted state is "up" to it. Call after engine.recover.
  task<> recover();
  task<> close();

  task<StackInfo> up(compose::Stack stack, UpOptions options, StepSink sink);
  /// Containers, networks, and with `volumes` volumes. Not there: Error not_found.
  task<> down(std::string name, DownOptions options, StepSink sink);
  std::vector<StackInfo> list() const;
  StackInfo inspect(const std::string& name) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gantry::platform
