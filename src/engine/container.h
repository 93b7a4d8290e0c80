#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "gantry/base/async.h"
#include "gantry/base/stream.h"
#include "gantry/oci/passwd.h"
#include "gantry/runtime/runtime.h"
#include "notifier.h"
#include "pending_attach.h"
#include "record.h"

namespace gantry::engine {

/// One execution of a container's program, from its start to its exit.
struct Run {
  std::optional<runtime::ExitRecord> exit;
  bool unhealthy = false;  ///< being ended because its health check failed
  std::string error;       ///< why there is no true exit status
};
using RunPtr = std::shared_ptr<Run>;

/// A container in memory: its row, and what belongs to this life of the daemon. `record` changes only through
/// Impl::commit, so that memory never runs ahead of the store. Kept alive by the tasks that work on it.
struct Container {
  Container(asio::any_io_executor executor, Record row)
      : record(std::move(row)), mutex(executor), changed(executor), log_changed(executor) {}

  const ContainerId& id() const { return record.info.id; }
  const std::string& name() const { return record.info.spec.name; }
  State state() const { return record.info.state; }

  Record record;
  AsyncMutex mutex;                       ///< one operation at a time
  Notifier changed;                       ///< after each commit, each exit, and when it is gone
  Notifier log_changed;                   ///< the same, and when its log grows
  RunPtr run;                             ///< set from the program's start until its ending is recorded
  std::set<std::string> held_volumes;     ///< from the first step of a start to the end of the run
  bool attachable = false;                ///< the runtime has it
  bool leaving = false;                   ///< what its last run held of the runtime is being released
  std::uint64_t endings = 0;              ///< runs ended and starts failed, for `wait`
  std::uint64_t back_off_ticket = 0;      ///< the back-off in progress; another number calls it off
  std::vector<runtime::Mark> trace;       ///< of the last start,
  std::vector<runtime::Mark> shim_trace;  ///< and what the shim did of it
  bool stored = true;                     ///< false: its row is written with its first start
  bool gone = false;
  bool forwarding = false;  ///< its log is being sent on
  std::vector<std::shared_ptr<PendingAttach>> attaching;
  std::optional<TerminalSize> terminal;
  std::optional<oci::UserIds> user;
};
using ContainerPtr = std::shared_ptr<Container>;

}  // namespace gantry::engine
