#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "container.h"
#include "event_log.h"
#include "exec_registry.h"
#include "gantry/engine/engine.h"
#include "gantry/runtime/log_file.h"
#include "layer_view.h"
#include "logging/log_connection.h"
#include "network_words.h"
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

/// The containers whose namespaces a start joins, as they run at that moment.
struct Joined {
  struct Lender {
    ContainerPtr container;
    RunPtr run;
  };
  std::vector<Lender> lenders;
  runtime::NamespaceChoices namespaces;
  std::optional<std::int64_t> id_slot;  ///< theirs
  std::filesystem::path network_files;  ///< where the /etc files of the joined network are; empty: none is joined
  pid_t shm_of = 0;                     ///< whose /dev/shm it shares; 0: nobody's
  std::string hosts;                    ///< lines for the containers it has links to
};

struct StopRequest {
  std::optional<Duration> grace;
  bool by_user = true;
  Afterwards afterwards = Afterwards::stay;
  std::optional<int> signal = std::nullopt;  ///< instead of the container's own
};

/// A container's files for one operation on them.
struct FileRoot {
  Fd root;
  image::IdShift ids;
  std::optional<AsyncMutex::Guard> guard;  ///< while it does not run, so that it stays so
};

/// The engine's inside. Functions named `..._locked` expect the container's mutex to be held by the caller; the rest
/// take it themselves. Grouped by the file they are in.
struct Engine::Impl {
  Impl(Parts& parts, std::filesystem::path data_dir);

  // lookup.cpp
  ContainerPtr find(const ContainerId& id) const;
  ContainerPtr find_by_reference(std::string_view reference) const;
  /// Error conflict when it is being removed, or has been.
  static void require_kept(const Container& container);
  /// Newest first. Valid until the next co_await.
  std::vector<const ContainerInfo*> list(const ContainerFilter& filter) const;
  ContainerDetails details(const Container& container) const;
  std::vector<std::string> layers_in_use(bool running) const;
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
  /// In memory, with a name and an id range that are its own from here on; no row yet.
  ContainerPtr new_container(ContainerSpec spec, Origin origin);
  /// The same, with its row.
  ContainerPtr add_container(ContainerSpec spec, Origin origin);
  /// Makes its volumes; one that fails is removed again.
  task<> finish_creation(ContainerPtr container);
  /// Creates and starts in one transaction. The caller's session, when it wants one, was there before the program.
  task<Launched> launch(ContainerSpec spec, bool attach);
  Record make_record(ContainerSpec spec, Origin origin) const;
  void settle_name(ContainerSpec* spec) const;
  /// Of containers whose namespaces it joins: ids for names; and a host name where there is none to choose.
  void settle_namespaces(ContainerSpec* spec) const;
  /// Of links, ids for names, and aliases where there is none.
  void settle_links(ContainerSpec* spec) const;
  /// Of the containers whose volumes it wants.
  std::vector<Mount> inherited_mounts(const ContainerSpec& spec) const;
  std::optional<std::int64_t> reserve_id_slot(const ContainerSpec& spec) const;
  std::int64_t free_id_slot() const;

  // volumes.cpp
  /// Makes the volumes that are not there, fills new ones from the image, and says where each is. Idempotent.
  /// What volumes with options name is mounted only when `starting`.
  task<std::map<std::string, std::string>> prepare_volumes(ContainerPtr container, bool starting);
  void fill_from_image(const Mount& mount, const std::filesystem::path& target) const;
  task<std::string> prepare_volume(ContainerPtr container, Mount mount, bool starting);
  std::shared_ptr<AsyncMutex> volume_lock(const std::string& name);
  /// Of a container that does not run any more; volumes with options are unmounted in the background.
  void let_go_of_volumes(Container& container);
  task<> unmount_volume(std::string name);
  task<> recover_volumes();
  void require_bind_sources(const Record& record) const;
  /// Names of those that are gone with it.
  std::vector<std::string> release_volumes(const Record& record) const;
  static Event volume_event(const std::string& name, std::string action);
  LayerPaths layer_paths(const Record& record) const;

  // joining.cpp
  /// Error conflict when one of them does not run.
  Joined join(const ContainerSpec& spec) const;
  /// What /etc/hosts says of the containers it has links to. Error conflict when one of them does not run, or is in
  /// none of its networks.
  std::string linked_hosts(const ContainerInfo& info) const;
  task<> unlink(ContainerId id, std::string alias);
  /// The same as `join` when one of them has ended since.
  static void require_still_joined(const Joined& joined);

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
                                            const Joined& joined, const Warm& ready, bool* executing);
  task<> launch_runtime(ContainerId id, std::function<runtime::Plan()> plan, runtime::Launched* launched);
  task<> connect_sessions(ContainerPtr container);
  task<> plug(ContainerPtr container, Fd netns);
  /// Gives back everything a run holds outside the store. Idempotent; logs what cannot be given back.
  task<> release_network(ContainerPtr container);
  /// The first half of it: the rows of its leases go with the transaction of the caller, see lease_rows_of.
  task<> unplug(ContainerPtr container);
  static RecordStore::Also lease_rows_of(ContainerId id);
  task<> release_runtime(ContainerPtr container);
  /// The same while nobody waits but who needs it to be done, with has_left: what a shim has mounted takes the kernel
  /// milliseconds to give up.
  void let_go_of_runtime(ContainerPtr container);
  task<> leave(ContainerPtr container);
  static task<> has_left(ContainerPtr container);

  // connections.cpp
  task<> connect(ContainerId id, NetworkAttachment attachment);
  task<> connect_running(ContainerPtr container, NetworkAttachment attachment);
  task<> disconnect(ContainerId id, std::string network);
  /// Undoes a connection that could not be made.
  task<> withdraw(ContainerPtr container, NetworkAddress address);
  /// Makes kernel, ports and files of a running container follow its row.
  /// `resolv_before`: what usual_resolv said before the change; unset: not known.
  task<> settle_network(ContainerPtr container, std::optional<std::string> resolv_before);
  /// Ends a change of networks that a crash cut short.
  task<> finish_network_change(ContainerPtr container);
  void require_connectable(const ContainerInfo& info, const network::NetworkInfo& network) const;
  Event network_event(const Container& container, std::string action, const NetworkAddress& address) const;
  /// One for each volume it has mounted.
  std::vector<Event> volume_events(const Container& container, const std::string& action) const;
  /// Of its networks, before the spec's own wishes.
  std::string usual_resolv(const ContainerInfo& info) const;

  // stop.cpp
  task<> stop(ContainerId id, std::optional<Duration> grace, std::string signal);
  task<> restart(ContainerId id, std::optional<Duration> grace, std::string signal);
  task<> kill(ContainerId id, std::string signal);
  task<> stop_locked(ContainerPtr container, StopRequest request);
  task<> end_run(ContainerPtr container, RunPtr run, Duration grace, std::optional<int> signal = std::nullopt);
  task<> kill_processes(ContainerPtr container);
  task<bool> wait_exit(ContainerPtr container, RunPtr run, std::optional<SteadyTime> deadline);

  // pause.cpp
  task<> pause(ContainerId id);
  task<> unpause(ContainerId id);
  task<> pause_locked(ContainerPtr container);
  task<> unpause_locked(ContainerPtr container);
  /// Its processes run, or not, as its state says. For when the daemon ended between the row and the deed.
  task<> settle_freezer(ContainerPtr container);

  // files.cpp
  task<FileRoot> open_files(ContainerPtr container);
  task<> let_go(FileRoot root);
  task<> send_tree(FileRoot root, std::string path, ArchiveHead head, ArchiveSink sink);
  task<image::PathStat> archive_stat(ContainerId id, std::string path);
  task<> archive_get(ContainerId id, std::string path, ArchiveHead head, ArchiveSink sink);
  task<> archive_put(ContainerId id, std::string path, std::shared_ptr<Fd> tar, ArchivePut options);
  task<> export_tree(ContainerId id, ArchiveSink sink);

  // container_image.cpp
  task<std::vector<Change>> changes(ContainerId id);
  task<image::ImageInfo> commit_image(ContainerId id, CommitOptions options);
  /// Blocking.
  image::ImageInfo make_image(const Record& record, const CommitOptions& options) const;

  // forwarding.cpp
  /// Sends on what the container writes, when its log driver says so; from where an earlier one got to.
  void begin_forwarding(ContainerPtr container);
  task<> forward(ContainerPtr container);
  task<> forward_log(ContainerPtr container);
  task<bool> deliver(ContainerPtr container, std::unique_ptr<LogConnection>* connection, LogTarget target,
                     LogOrigin origin, std::vector<runtime::LogEntry>* entries);
  /// Waits shortly for the last of it, before its files go.
  task<> finish_forwarding(ContainerPtr container);

  // update.cpp
  task<> update(ContainerId id, ContainerUpdate change);
  /// What runs gets the limits of the record.
  task<> apply_limits(ContainerPtr container);
  task<> settle_limits(ContainerPtr container);

  // measure.cpp
  task<Stats> stats(ContainerId id);
  task<std::vector<ProcessInfo>> processes(ContainerId id);

  // rename.cpp
  task<> rename(ContainerId id, std::string name);

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
  task<> remove_step(ContainerId id);
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
  oci::UserIds look_up_user(const Record& record, const std::string& user) const;
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
  std::optional<runtime::SharedGroup> step_group;  ///< of build steps, as the last was created with
  Permits creations;  ///< one by one: each takes the control thread a millisecond, and short requests come in between
  Permits starts;     ///< of a burst, so many at a time: more would only wait for each other, and make others wait
  Permits restarts;   ///< a boot with a hundred containers starts a few at a time
  std::map<std::string, std::weak_ptr<AsyncMutex>> volume_locks;
  std::set<std::string> mounted_volumes;  ///< of those with options
  bool emptying = false;
  std::uint64_t log_message_id = 0;
  bool closing = false;
};

}  // namespace gantry::engine
