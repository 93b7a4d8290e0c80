#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gantry/base/async.h"
#include "gantry/base/process.h"
#include "gantry/base/stream.h"
#include "gantry/base/transfer.h"
#include "gantry/engine/types.h"
#include "gantry/image/image_store.h"
#include "gantry/image/tree_archive.h"
#include "gantry/network/network_manager.h"
#include "gantry/runtime/runtime.h"
#include "gantry/store/store.h"
#include "gantry/volume/volume_store.h"

/// The engine module owns the life cycle of containers:
///
///   create -> created -> start -> starting -> running -> (stop -> stopping ->) exited -> remove -> gone
///                                                ├-> exited -> restarting (back-off) -> starting
///                                                └-> pause -> paused -> unpause -> running
///
/// Every transition is committed to the store before it is acted upon; what a crash interrupts is finished or undone
/// by `recover` at the next start. All members are called on the control thread (the executor given); operations on
/// one container are serialised, operations on different containers run side by side.
namespace gantry::engine {

store::Schema schema();

struct LogRecord {
  Timestamp time{};
  StdStream stream = StdStream::out;
  std::string data;  ///< usually one line with its newline; a longer one comes in parts
};

struct LogQuery {
  bool follow = false;
  std::optional<std::size_t> tail;  ///< the last n lines
  std::optional<Timestamp> since;
  std::optional<Timestamp> until;
  bool out = true;
  bool err = true;
};

/// Told once, before the first piece.
using ArchiveHead = std::function<task<>(image::PathStat)>;
/// Pieces of a tar, in order.
using ArchiveSink = std::function<task<>(std::string)>;

struct ArchivePut {
  bool no_overwrite_dir_non_dir = false;  ///< Error invalid instead of a directory for a file, or the other way round
  bool copy_uid_gid = false;              ///< all of it belongs to the container's user, when it has one
};

struct CommitOptions {
  std::string reference;  ///< the new image's name, or empty
  std::string author;
  std::string comment;
  std::vector<std::string> changes;      ///< Dockerfile instructions, see build::apply_changes
  bool pause = true;                     ///< halt the container meanwhile
  std::optional<oci::RunConfig> config;  ///< instead of what the container runs with
};

/// What a build step runs over: layers (diff ids, lowest first, held by the caller) and where its changes go.
struct StepRoot {
  std::vector<std::string> layers;
  std::filesystem::path upper;
  std::filesystem::path work;
  std::optional<runtime::SharedGroup> group;  ///< that all steps share
};

struct Parts {
  asio::any_io_executor executor;
  WorkerPool& pool;
  TransferLimit& transfers;
  store::Database& database;
  image::ImageStore& images;
  network::NetworkManager& networks;
  volume::VolumeStore& volumes;
  runtime::Runtime& runtime;
  /// Called before each step of an operation with its name ("start: plug"). Fault tests throw from it.
  std::function<void(std::string_view)> on_step = {};
  /// Where ports are published that name no host address; empty: every address, IPv4 and IPv6.
  std::string publish_address = {};
};

struct Container;

/// A container that was created and started in one.
struct Launched {
  ContainerId id;
  std::unique_ptr<StdioSession> session;  ///< when asked for: everything the program writes, from its first byte
  std::shared_ptr<Container> container;   ///< for `Engine::wait`, also when it has been removed meanwhile
  std::optional<Error> failure;           ///< it was created, but its start failed
};

class Engine {
 public:
  Engine(Parts parts, std::filesystem::path data_dir, std::filesystem::path run_dir);
  ~Engine();

  /// Call once after construction: adopts running containers, records what exited meanwhile with its true status,
  /// finishes interrupted operations, starts again what should run (also after a reboot).
  task<> recover();
  /// Stops background work (health checks, waits). Containers go on running.
  task<> close();

  /// Creates and starts with one commit. Throws what `create` would throw. When the start fails the container stays,
  /// unless it is to be removed after its end, as if created and started one after the other.
  task<Launched> launch(ContainerSpec spec, bool attach);
  /// Until its first run has ended, or, `removed`, until it is gone.
  task<ExitStatus> wait(const Launched& launched, bool removed);
  /// How its last start went, in microseconds. Empty when another daemon made it.
  std::vector<StartStep> start_trace(const ContainerId& id) const;
  std::vector<StartStep> start_trace(const Launched& launched) const;
  task<ContainerId> create(ContainerSpec spec);
  /// A container over `root` instead of an image: a build's RUN. Not in lists unless asked for, gone after a restart of
  /// the daemon. `spec.image` is only a text to show.
  task<ContainerId> create_step(ContainerSpec spec, StepRoot root);
  /// Returns when the user's program has been executed; throws when it cannot be (not_found for a missing command).
  task<> start(ContainerId id);
  /// `signal`, when it is not empty, instead of the container's own stop signal.
  task<> stop(ContainerId id, std::optional<Duration> grace, std::string signal = {});
  task<> kill(ContainerId id, std::string signal);
  task<> restart(ContainerId id, std::optional<Duration> grace, std::string signal = {});
  /// Halts all its processes where they are, and lets them go on. Error conflict: it is not running, or is paused
  /// already; it is not paused. A paused container can be stopped, killed and removed by force; an exec in it is
  /// refused.
  task<> pause(ContainerId id);
  task<> unpause(ContainerId id);
  /// New limits and restart policy, for what runs now and from then on. Error invalid: they contradict each other, or
  /// the kernel refuses them; then nothing has changed. Error conflict: a restart policy for one that is removed at its
  /// end.
  task<> update(ContainerId id, ContainerUpdate change);
  /// From now on DNS knows it by the new name only. Error conflict: the name is taken; invalid: it is its name already,
  /// or no name at all.
  task<> rename(ContainerId id, std::string name);
  task<> remove(ContainerId id, RemoveOptions options);
  /// Kills and removes in the background, for who cannot wait (a cancelled task).
  void discard(const ContainerId& id);
  task<ExitStatus> wait(ContainerId id, WaitCondition condition);

  /// One network more. A container that runs gets it at once, by the next start it has it anyway; a change that the
  /// kernel refuses leaves nothing. Error conflict when it is on that network, invalid when it has the host's network,
  /// another container's, or none.
  task<> connect(ContainerId id, NetworkAttachment attachment);
  /// One less, by name or id; its links and names are gone when this returns, and ports lead to what is left. Error
  /// not_found when the container is not on it.
  task<> disconnect(ContainerId id, std::string network);
  /// Forgets its link to another container; what it runs finds that one under the alias no more. Error not_found when
  /// it has none of that name.
  task<> unlink(ContainerId id, std::string alias);

  /// Running and starting containers whose users this id of the host may be; several when they share a user namespace.
  /// Empty for ids of the host itself.
  std::vector<ContainerInfo> containers_of_user(std::uint32_t host_id) const;
  /// By name, id or unambiguous id prefix. Error not_found / conflict (ambiguous).
  ContainerId resolve(std::string_view reference) const;
  ContainerInfo inspect(const ContainerId& id) const;
  ContainerDetails details(const ContainerId& id) const;
  std::vector<ContainerInfo> list(const ContainerFilter& filter) const;
  /// The same without copies: `visit` sees each in place, and must neither keep the reference nor change anything.
  void for_each(const ContainerFilter& filter, const std::function<void(const ContainerInfo&)>& visit) const;
  /// Diff ids of the layers that containers are made over, build steps among them; `running`: only of those that may
  /// have them mounted.
  std::vector<std::string> layers_in_use(bool running) const;
  /// All zero while it does not run.
  task<Stats> stats(ContainerId id);
  /// All its processes, execs included. Error conflict: it does not run.
  task<std::vector<ProcessInfo>> processes(ContainerId id);

  /// Attach to the main process: only what comes from now on. On a container that does not run yet the session begins
  /// with the first byte of its next start: create, attach, start loses nothing.
  task<std::unique_ptr<StdioSession>> attach(ContainerId id);
  task<> resize(ContainerId id, TerminalSize size);
  /// Error unsupported: its log driver keeps nothing. For who answers before `logs` says so.
  void require_logs(const ContainerId& id) const;
  /// Calls `sink` for each record, in order; with `follow` until the container is removed or stops for good.
  task<> logs(ContainerId id, LogQuery query, std::function<task<>(LogRecord)> sink);

  // Files, whether it runs or not, with volumes and binds where it sees them. Paths begin at its root, which no link
  // leads out of; owners are those it sees. While it does not run, it cannot be started before these have ended.
  /// Error not_found; invalid: made up by the kernel (/proc and the like).
  task<image::PathStat> archive_stat(ContainerId id, std::string path);
  /// What `path` names as a tar (see image::TreeArchive).
  task<> archive_get(ContainerId id, std::string path, ArchiveHead head, ArchiveSink sink);
  /// A tar, plain or compressed, read from `tar` to its end, unpacked into the directory `path` (see
  /// image::put_archive). Whoever feeds `tar` does it meanwhile.
  task<> archive_put(ContainerId id, std::string path, std::shared_ptr<Fd> tar, ArchivePut options);
  /// Its whole root file system as a tar, without what is mounted in it.
  task<> export_tree(ContainerId id, ArchiveSink sink);

  /// What it has changed in its root file system, sorted by path. Mounts, and places made for them, are no changes.
  task<std::vector<Change>> changes(ContainerId id);
  /// A new image of its layers and what it has changed, with what it runs with as defaults. Volumes are not in it.
  task<image::ImageInfo> commit(ContainerId id, CommitOptions options);

  task<ExecId> exec_create(ContainerId id, ExecSpec spec);
  task<std::unique_ptr<StdioSession>> exec_start(ExecId id);
  task<> exec_resize(ExecId id, TerminalSize size);
  /// Known for ten minutes after the end.
  ExecInfo exec_inspect(const ExecId& id) const;
  task<int> exec_wait(ExecId id);

  /// Appends and publishes; for the modules above that have events of their own (stack) and for images, networks.
  void publish(Event event);
  /// An event of that container, with what all of its events have: for fronts that have some of their own (attach).
  Event container_event(const ContainerId& id, std::string action) const;
  /// Past events since `after` (a sequence number), then new ones as they come, until cancelled or `sink` throws. A
  /// slow sink does not hold up others; one that falls more than 10,000 events behind gets an Error (exhausted).
  task<> events(std::optional<Timestamp> since, bool follow, std::function<task<>(Event)> sink);

  image::ImageStore& images() { return parts_.images; }
  network::NetworkManager& networks() { return parts_.networks; }
  volume::VolumeStore& volumes() { return parts_.volumes; }
  WorkerPool& pool() { return parts_.pool; }
  TransferLimit& transfers() { return parts_.transfers; }

 private:
  struct Impl;
  Parts parts_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gantry::engine
