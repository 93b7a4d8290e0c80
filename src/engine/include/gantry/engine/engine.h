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
#include "gantry/engine/types.h"
#include "gantry/image/image_store.h"
#include "gantry/network/network_manager.h"
#include "gantry/runtime/runtime.h"
#include "gantry/store/store.h"
#include "gantry/volume/volume_store.h"

/// The engine module owns the life cycle of containers:
///
///   create -> created -> start -> starting -> running -> (stop -> stopping ->) exited -> remove -> gone
///                                                └-> exited -> restarting (back-off) -> starting
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

/// What a build step runs over: layers (diff ids, lowest first, held by the caller) and where its changes go.
struct StepRoot {
  std::vector<std::string> layers;
  std::filesystem::path upper;
  std::filesystem::path work;
};

struct Parts {
  asio::any_io_executor executor;
  WorkerPool& pool;
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
  task<> stop(ContainerId id, std::optional<Duration> grace);
  task<> kill(ContainerId id, std::string signal);
  task<> restart(ContainerId id, std::optional<Duration> grace);
  task<> remove(ContainerId id, RemoveOptions options);
  /// Kills and removes in the background, for who cannot wait (a cancelled task).
  void discard(const ContainerId& id);
  task<ExitStatus> wait(ContainerId id, WaitCondition condition);

  /// By name, id or unambiguous id prefix. Error not_found / conflict (ambiguous).
  ContainerId resolve(std::string_view reference) const;
  ContainerInfo inspect(const ContainerId& id) const;
  std::vector<ContainerInfo> list(const ContainerFilter& filter) const;
  /// The same without copies: `visit` sees each in place, and must neither keep the reference nor change anything.
  void for_each(const ContainerFilter& filter, const std::function<void(const ContainerInfo&)>& visit) const;
  task<Stats> stats(ContainerId id);

  /// Attach to the main process: only what comes from now on. On a container that does not run yet the session begins
  /// with the first byte of its next start: create, attach, start loses nothing.
  task<std::unique_ptr<StdioSession>> attach(ContainerId id);
  task<> resize(ContainerId id, TerminalSize size);
  /// Calls `sink` for each record, in order; with `follow` until the container is removed or stops for good.
  task<> logs(ContainerId id, LogQuery query, std::function<task<>(LogRecord)> sink);

  task<ExecId> exec_create(ContainerId id, ExecSpec spec);
  task<std::unique_ptr<StdioSession>> exec_start(ExecId id);
  task<> exec_resize(ExecId id, TerminalSize size);
  /// Known for ten minutes after the end.
  ExecInfo exec_inspect(const ExecId& id) const;
  task<int> exec_wait(ExecId id);

  /// Appends and publishes; for the modules above that have events of their own (stack) and for images, networks.
  void publish(Event event);
  /// Past events since `after` (a sequence number), then new ones as they come, until cancelled or `sink` throws. A
  /// slow sink does not hold up others; one that falls more than 10,000 events behind gets an Error (exhausted).
  task<> events(std::optional<Timestamp> since, bool follow, std::function<task<>(Event)> sink);

  image::ImageStore& images() { return parts_.images; }
  network::NetworkManager& networks() { return parts_.networks; }
  volume::VolumeStore& volumes() { return parts_.volumes; }
  WorkerPool& pool() { return parts_.pool; }

 private:
  struct Impl;
  Parts parts_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gantry::engine
