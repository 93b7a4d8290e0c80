#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "container.h"
#include "event_log.h"
#include "exec_registry.h"
#include "gantry/engine/engine.h"
#include "layer_view.h"
#include "notifier.h"
#include "operations.h"
#include "plan.h"
#include "record_store.h"
#include "restart.h"
#include "state_machine.h"
#include "warm_pool.h"

namespace gantry::engine {

/// What a container is made over when it is not an image: see Engine::create_step.
struct Origin {
  std::string image_id;
  std::vector<std::string> layers;
  oci::RunConfig config;
  std::string upper;
  std::string work;
  bool hidden = false;
};

/// What follows when a run has ended.
enum class Afterwards {
  by_policy,  ///< it ended by itself, or was unhealthy
  stay,       ///< it was asked to stop
  start,      ///< it was asked to restart: as `restarting`, the caller starts it
};

/// Who wants a start, and so who learns of its failure.
enum class Wanted { by_user, by_policy };

struct StopRequest {
  std::optional<Duration> grace;
  bool by_user = true;
  Afterwards afterwards = Afterwards::stay;
};

/// The engine's inside. Functions named `..._locked` expect the container's mutex to be held by the caller; the rest
/// take it themselves. Grouped by the file they are in.
struct Engine::Impl {
  Impl(Parts& parts, std::filesystem::path data_dir);

  // lookup.cpp
  ContainerPtr find(const ContainerId& id) const;
  ContainerPtr find_by_reference(std::string_view reference) const;
  /// Newest first. Valid until the next co_await.
  std::vector<const ContainerInfo*> list(const ContainerFilter& filter) const;
  bool name_taken(const std::string& project, const std::string& name) const;
  /// Directories of containers yet to come.
  /// What was removed and is being deleted.
  std::filesystem::path trash_dir() const { return data_dir / "trash"; }
  std::filesystem::path standby_dir() const { return data_dir / "standby"; }
  ContainerPaths paths_of(const ContainerId& id) const { return {data_dir / "containers" / id.str()}; }

  // commit.cpp
  /// Changes a copy of the record, writes it with `events`, then makes it the record and wakes whoever waits.
  void commit(Container& container, Transition transition, const std::function<void(Record&)>& change,
              std::vector<Event> events = {}, const RecordStore::Also& also = {});
  /// The same without a change of state.
  void amend(Container& container, const std::function<void(Record&)>& change, std::vector<Event> events = {},
             const RecordStore::Also& also = {});
  Event created_event(const Container& container) const;
  /// Until what was committed is on the disk: before a program runs, and before somebody is told that it is done.
  task<> durable();
  /// With one attribute of its own, unless `key` is empty.
  Event event(const Container& container, std::string action, const std::string& key = {},
              std::string value = {}) const;
  void wake(Container& container);
  /// Called before each step of an operation, by the name tests know it by.
  void step(std::string_view name) const;

  // trace.cpp
  void begin_trace(Container& container);
  /// The same, remembered for `start_trace`.
  void step(Container& container, std::string_view name) const;
  static std::vector<StartStep> start_trace(const Container& container);

  // creation.cpp
  task<ContainerId> create(ContainerSpec spec);
  task<ContainerId> create_step(ContainerSpec spec, StepRoot root);
  Origin origin_of(const std::string& image) const;
  task<ContainerId> create_over(ContainerSpec spec, Origin origin);
  /// In memory, with a name and an id range that are its own from here on; no row yet.
  ContainerPtr new_container(ContainerSpec spec, Origin origin);
  /// Creates and starts in one transaction. The caller's session, when it wants one, was there before the program.
  task<Launched> launch(ContainerSpec spec, bool attach);
  Record make_record(ContainerSpec spec, Origin origin) const;
  void settle_name(ContainerSpec* spec) const;
  std::optional<std::int64_t> reserve_id_slot(const Security& security) const;
  std::int64_t free_id_slot() const;

  // volumes.cpp
  /// Makes the volumes that are not there, fills new ones from the image, and says where each is. Idempotent.
  task<std::map<std::string, std::string>> prepare_volumes(ContainerPtr container);
  task<std::string> prepare_volume(ContainerPtr container, Mount mount);
  void require_bind_sources(const Record& record) const;
  void release_volumes(const Record& record) const;
  LayerPaths layer_paths(const Record& record) const;

  // start.cpp
  task<> start(ContainerId id);
  task<> start_locked(ContainerPtr container, Wanted wanted);
  task<> start_steps(ContainerPtr container, Wanted wanted, bool* executing);
  void commit_start(Container& container, Wanted wanted, const network::Reservation* reservation,
                    std::optional<std::int64_t> id_slot);
  task<> start_failed(ContainerPtr container, Wanted wanted, State before, Error failure, bool executing);
  std::optional<Warm> take_warm(const Record& record);
  task<std::optional<network::Reservation>> reserve_network(ContainerPtr container, Warm* warm);
  /// Files and plan of the container, to be made on a pool thread; `executing` is set when they are.
  std::function<runtime::Plan()> plan_start(ContainerPtr container, std::map<std::string, std::string> volumes,
                                            const Warm& ready, bool* executing);
  task<> create_runtime(ContainerId id, std::function<runtime::Plan()> plan, runtime::Created* created);
  task<> connect_sessions(ContainerPtr container);
  task<> plug(ContainerPtr container, Fd netns);
  /// Gives back everything a run holds outside the store. Idempotent; logs what cannot be given back.
  task<> release_network(ContainerPtr container);
  /// The first half of it: the rows of its leases go with the transaction of the caller, see lease_rows_of.
  task<> unplug(ContainerPtr container);
  static RecordStore::Also lease_rows_of(ContainerId id);
  task<> release_runtime(ContainerPtr container);

  // stop.cpp
  task<> stop(ContainerId id, std::optional<Duration> grace);
  task<> restart(ContainerId id, std::optional<Duration> grace);
  task<> kill(ContainerId id, std::string signal);
  task<> stop_locked(ContainerPtr container, StopRequest request);
  task<> end_run(ContainerPtr container, RunPtr run, Duration grace);
  task<> kill_processes(ContainerPtr container);
  task<bool> wait_exit(ContainerPtr container, RunPtr run, std::optional<SteadyTime> deadline);

  // remove.cpp
  task<> remove(ContainerId id, RemoveOptions options);
  task<> remove_locked(ContainerPtr container, bool volumes);
  /// Deletes what is in the trash, in the background; one at a time.
  void empty_trash();
  task<> delete_trash();
  /// Kills, removes and forgets, in the background; for who cannot wait.
  void discard(const ContainerId& id);

  // supervision.cpp
  task<> watch(ContainerPtr container, RunPtr run);
  task<> run_ended(ContainerPtr container, RunPtr run);
  task<> run_ended_locked(ContainerPtr container, RunPtr run, Afterwards afterwards);
  void call_off_back_off(Container& container) { ++container.back_off_ticket; }
  void begin_back_off(ContainerPtr container, Duration delay);
  task<> back_off(ContainerPtr container, std::uint64_t ticket, Duration delay);
  task<> start_again(ContainerPtr container, std::uint64_t ticket);
  task<ExitStatus> wait(ContainerId id, WaitCondition condition);
  task<ExitStatus> wait_launched(ContainerPtr container, bool removed);

  // health.cpp
  task<> check_health(ContainerPtr container, RunPtr run);
  task<HealthResult> check_once(ContainerPtr container, HealthCheck check);
  void record_check(Container& container, HealthResult result, bool counts);
  task<> restart_unhealthy(ContainerPtr container, RunPtr run);
  task<bool> pause_check(ContainerPtr container, RunPtr run, Duration pause);

  // recovery.cpp
  task<> recover();
  task<> recover_container(ContainerPtr container, runtime::Adopted found);
  task<> recover_active(ContainerPtr container, runtime::Adopted found);
  task<> undo_start(ContainerPtr container);
  void adopt_running(ContainerPtr container, const runtime::Created& created);
  RunPtr adopt_run(ContainerPtr container);
  task<> finish_stop(ContainerPtr container);
  task<> remove_leftovers();

  // streams.cpp
  task<std::unique_ptr<StdioSession>> attach(ContainerId id);
  task<> resize(ContainerId id, TerminalSize size);
  task<> logs(ContainerId id, LogQuery query, std::function<task<>(LogRecord)> sink);
  void end_attaching(Container& container);

  // execs.cpp
  /// Blocking; from any thread while the container's mutex is held.
  oci::UserIds look_up_user(const Container& container, const std::string& user) const;
  task<oci::UserIds> user_of(ContainerPtr container, std::string user);
  task<std::shared_ptr<runtime::ExecProcess>> execute(ContainerPtr container, ExecSpec spec);
  task<std::unique_ptr<StdioSession>> exec_connect(std::shared_ptr<Exec> exec);
  task<ExecId> exec_create(ContainerId id, ExecSpec spec);
  task<std::unique_ptr<StdioSession>> exec_start(ExecId id);
  task<> exec_resize(ExecId id, TerminalSize size);
  task<int> exec_wait(ExecId id);
  task<> watch_exec(std::shared_ptr<Exec> exec);

  task<> close();

  Parts& parts;
  std::filesystem::path data_dir;
  std::string boot_id;
  CapabilityBase capabilities;
  std::shared_ptr<EventLog> events;
  RecordStore records;
  ExecRegistry execs;
  std::unordered_map<ContainerId, ContainerPtr> containers;
  Scope background;       ///< supervisors, back-offs, health checks: may be cancelled at any point
  Operations operations;  ///< what users asked for: runs to its end, whoever goes away
  WarmPool warm;
  Permits starts;    ///< of a burst, so many at a time: more would only wait for each other, and make others wait
  Permits restarts;  ///< a boot with a hundred containers starts a few at a time
  std::map<std::string, std::weak_ptr<AsyncMutex>> volume_locks;
  bool emptying = false;
  bool closing = false;
};

}  // namespace gantry::engine
