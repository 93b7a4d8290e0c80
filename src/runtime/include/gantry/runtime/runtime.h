#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gantry/base/async.h"
#include "gantry/base/fd.h"
#include "gantry/base/ids.h"
#include "gantry/base/process.h"
#include "gantry/base/stream.h"
#include "gantry/base/time.h"
#include "gantry/base/usage.h"
#include "gantry/runtime/standby.h"

/// The runtime module owns the running side of a container: shim, mounts, OCI bundle, OCI runtime, cgroup, standard
/// streams and their log file. It knows nothing of images, networks or names.
///
/// One `gantry-shim` per container outlives the daemon. The shim lives in a private mount namespace in which the root
/// file system and the id-mapped mounts are made, so that no mount is ever visible on the host and all of them are
/// gone when the last process is. Exit status: the shim writes it to `<state_dir>/exit.json` before it ends.
///
///   create: shim, mounts, `crun create`  ->  (engine plugs in the network by `netns`)  ->  start: `crun start`
///   -> the program runs -> exit recorded -> remove: everything released, idempotent
namespace gantry::runtime {

struct IdRange {
  std::uint32_t host = 0;  ///< first id on the host
  std::uint32_t size = 65536;
};

/// Whose namespace of one kind a container's processes are in.
struct NamespaceChoice {
  enum class Whose { own, host, joined };
  Whose whose = Whose::own;
  pid_t pid = 0;  ///< joined: a process that is in it
};

struct NamespaceChoices {
  NamespaceChoice user;  ///< own: of `Plan::user_namespace`; joined: the same range. The host's by leaving that unset
  NamespaceChoice network, pid, ipc, uts, cgroup;
};

/// A device file; `uid` and `gid` as the container sees them.
struct DeviceNode {
  char type = 'c';  ///< c or b
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  std::uint32_t mode = 0600;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
};

/// What may be done with devices of a type (a: with all) and numbers (unset: with each): r, w, m.
struct DeviceAccess {
  char type = 'a';
  std::optional<std::int64_t> major, minor;
  std::string access;
};

/// A device of the host, or all that are below a directory.
struct PlannedDevice {
  std::string source;
  std::string target;  ///< absolute
  std::string access;  ///< r, w, m
};

/// A program of the host that crun runs at a stage of a container's life, by the names of the OCI specification.
struct PlannedHook {
  std::string stage;  ///< "createRuntime", "createContainer", ...
  std::string path;
  std::vector<std::string> args;
  std::vector<std::string> environment;
  std::optional<int> timeout;  ///< seconds
};

/// Limits or weights of one block device of the host.
struct PlannedDeviceLimit {
  std::string path;
  std::uint64_t value = 0;
};

struct PlannedBlockIo {
  std::optional<std::uint16_t> weight;
  std::vector<PlannedDeviceLimit> weights, read_bps, write_bps, read_iops, write_iops;
};

/// Which of the mounts made later the other side sees, as mount_namespaces(7) says it.
enum class MountPropagation { rprivate, private_, rshared, shared, rslave, slave };
BOOST_DESCRIBE_ENUM(MountPropagation, rprivate, private_, rshared, shared, rslave, slave)

/// One mount of the container's plan, in order. Paths on the host are resolved by the shim without following links
/// in the last component; targets are resolved inside the root.
struct PlannedMount {
  enum class Kind { bind, tmpfs };
  Kind kind = Kind::bind;
  std::string source;  ///< bind: absolute host path (a volume's directory, a file)
  std::string target;
  bool read_only = false;
  bool id_mapped = true;  ///< bind: ownership on disk appears natural inside (needs a private user namespace)
  pid_t seen_by = 0;      ///< bind: the source is looked up in the files of this process; 0: in the host's
  std::string beneath;    ///< bind: what is mounted lies here below the source, and is not looked for elsewhere
  bool recursive = true;  ///< bind: with the mounts below the source
  bool read_only_recursive = true;                            ///< bind: these are read-only, too, when it is
  MountPropagation propagation = MountPropagation::rprivate;  ///< bind; shared ones need the host's user namespace
  std::optional<DeviceNode> node;  ///< bind: of this device, made for the container alone; there is no source
  std::optional<std::uint64_t> size;
  std::optional<std::uint32_t> mode;
  std::vector<std::string> options;  ///< tmpfs: further ones, "exec", "uid=7"
};

/// Who makes the container's process: the launcher inside the shim, or `crun`. What the native one does not support it
/// hands to `crun` by itself; `Created` says who did it and why.
enum class Launcher { native, crun };
BOOST_DESCRIBE_ENUM(Launcher, native, crun)

/// A control group between the instance's and those of several containers: limits for all of them together.
struct SharedGroup {
  std::string name;
  std::optional<std::uint64_t> memory;      ///< bytes
  std::optional<std::uint64_t> cpu_shares;  ///< beside all other containers
  std::optional<std::uint16_t> io_weight;   ///< 10 to 1000, where the machine has weights
};

struct Plan {
  ContainerId id;
  Launcher launcher = Launcher::native;
  /// A shim to use when it agrees with this plan (native launcher, default isolation, the same range of ids); else one
  /// is started.
  std::shared_ptr<Standby> standby;
  std::vector<std::filesystem::path> layers;  ///< lowest first; unpacked directories
  std::filesystem::path upper;                ///< writable layer; made when it is not there
  std::filesystem::path work;                 ///< overlayfs work directory, same file system as upper
  bool read_only_root = false;
  std::vector<PlannedMount> mounts;

  std::vector<std::string> argv;
  std::vector<std::string> environment;  ///< complete: PATH, HOSTNAME, TERM where wanted
  std::string working_dir = "/";
  std::uint32_t uid = 0;  ///< inside; the engine has resolved names against the image's passwd
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;
  std::string hostname;
  bool tty = false;
  bool open_stdin = false;
  bool init = false;

  std::optional<IdRange> user_namespace;  ///< unset: the host's
  NamespaceChoices namespaces;
  bool own_shm = true;  ///< a /dev/shm of its own
  bool default_seccomp = true;
  bool no_new_privileges = true;
  bool privileged = false;
  bool mask_paths = true;
  std::vector<std::string> capabilities;  ///< final set, "CAP_..." (see default_capabilities)
  std::map<std::string, std::string> sysctls;
  std::vector<PlannedDevice> devices;
  std::vector<DeviceAccess> device_rules;  ///< beside those of `devices` and of every container
  std::string seccomp_profile;             ///< a text in Docker's format; empty: `default_seccomp` decides
  std::string apparmor;                    ///< a profile of the kernel's, or empty
  std::optional<std::vector<std::string>> masked_paths;    ///< instead of the default ones
  std::optional<std::vector<std::string>> readonly_paths;  ///< the same
  std::string domain_name;
  std::map<std::string, std::string> annotations;
  std::vector<PlannedHook> hooks;  ///< with any of them the container is crun's

  struct Limit {
    std::string name;  ///< "RLIMIT_NOFILE"
    std::uint64_t soft = 0;
    std::uint64_t hard = 0;
  };
  std::vector<Limit> rlimits;
  std::optional<SharedGroup> shared_group;
  std::optional<std::uint64_t> memory, memory_swap, memory_reservation, cpu_shares, shm_size;
  std::optional<double> cpus;
  std::optional<std::string> cpuset;
  std::optional<std::int64_t> pids;
  std::optional<std::int64_t> cpu_quota;  ///< microseconds of each period, instead of `cpus`
  std::optional<std::uint64_t> cpu_period;
  std::optional<std::string> cpuset_mems;
  std::optional<std::uint32_t> memory_swappiness;
  std::optional<bool> oom_kill_disable;
  std::optional<int> oom_score_adj;
  std::optional<PlannedBlockIo> block_io;

  std::filesystem::path state_dir;  ///< under the data directory: exit.json and the log live here
  std::uint64_t log_max_size = 10u << 20;
  int log_max_files = 3;  ///< 0: no log is kept
};

/// Docker's well-known default capability set, "CAP_..." names.
const std::vector<std::string>& default_capabilities();
/// All capabilities this kernel has, "CAP_..." names.
std::vector<std::string> all_capabilities();
/// Error invalid for a text that is no system call profile in Docker's format, unsupported for one that asks for more
/// than can be done here.
void require_seccomp_profile(const std::string& text);

/// A shim has its plan and makes the container.
struct Launched {
  ContainerId id;
  std::shared_ptr<const Plan> plan;  ///< `launcher` is who does it
  std::string handed_over;           ///< see Created
  /// Whether `start` may be asked for without waiting for `created`: nothing has to be looked at in between.
  bool may_start_at_once() const { return plan->launcher == Launcher::native && !plan->init && !plan->tty; }
};

struct Created {
  pid_t pid = 0;  ///< the container's init, on the host
  Fd netns;       ///< its network namespace (owned by its user namespace), to plug links into
  Launcher launcher = Launcher::crun;
  std::string handed_over;  ///< why `crun` was used although the native launcher was asked for; else empty
};

struct ExecPlan {
  std::vector<std::string> argv;
  std::vector<std::string> environment;
  std::string working_dir;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::vector<std::uint32_t> groups;
  bool tty = false;
  bool open_stdin = false;
  bool no_new_privileges = true;
  std::vector<std::string> capabilities;
};

/// A running exec. Destroying it detaches; the program goes on until it ends or its container does.
class ExecProcess {
 public:
  virtual ~ExecProcess() = default;
  virtual pid_t pid() const = 0;
  virtual std::unique_ptr<StdioSession> session() = 0;  ///< once
  virtual task<> resize(std::uint16_t rows, std::uint16_t columns) = 0;
  /// As soon as it is known.
  virtual task<ExitStatus> ended() = 0;
  /// When nothing of the exec is left.
  virtual task<ExitStatus> wait() = 0;
  virtual void signal(int number) = 0;
};

/// A step that was done, by the monotonic clock (std::chrono::steady_clock's).
struct Mark {
  std::string name;
  std::chrono::nanoseconds time{};
};

struct ExitRecord {
  ExitStatus status;
  Timestamp time{};
};

/// What `adopt` found after a restart of the daemon.
struct Adopted {
  enum class What { created, running, exited, gone };
  What what = What::gone;  ///< gone: no shim and no exit record (killed, or the machine rebooted)
  pid_t pid = 0;
  Launcher launcher = Launcher::native;
  std::optional<ExitRecord> exit;
};

struct Config {
  std::filesystem::path shim;     ///< gantry-shim's path
  std::filesystem::path crun;     ///< the OCI runtime's path
  std::filesystem::path init;     ///< catatonit's path
  std::filesystem::path run_dir;  ///< sockets, bundles, OCI runtime state: <run_dir>/containers/<id>/...
  std::string instance;           ///< short, unique per data directory: names cgroups "gantry-<instance>"
  std::string native_obstacle;    ///< why `crun` must do it all on this machine (see find_native_obstacle), or empty
};

/// What this kernel lacks for the native launcher; empty when it lacks nothing. Asks the kernel, changes nothing.
std::string find_native_obstacle();

class Runtime {
 public:
  Runtime(asio::any_io_executor executor, WorkerPool& pool, Config config);
  ~Runtime();

  /// Whether there is no obstacle to the native launcher here.
  bool launches_natively() const;
  /// A shim with the first process of a container of default isolation, whose ids are these.
  task<std::shared_ptr<Standby>> make_standby(IdRange ids);
  /// Everything but the user's program. On failure nothing is left behind. Error not_found when argv[0] is not in
  /// the image, invalid for what the OCI runtime refuses.
  task<Created> create(Plan plan);
  /// The first half of it, and the second, which waits until the program could be executed; `make` is called on a pool
  /// thread. What fails in the shim is told by `created`, or by `start` where that is asked for at once.
  task<Launched> launch(ContainerId id, std::function<Plan()> make);
  task<Created> created(Launched launched);
  /// Executes the user's program, as soon as it can be, and says its process id on the host.
  task<pid_t> start(ContainerId id);
  /// How the last start went inside the shim: steps in the order they were done. Empty when it was another daemon's.
  std::vector<Mark> trace(const ContainerId& id) const;
  /// Finds the container again after a restart of the daemon; never throws for "not there".
  task<Adopted> adopt(ContainerId id, std::filesystem::path state_dir);
  /// Waits for the exit of a created or adopted container. If the shim was killed, everything of the container is
  /// killed too and the answer is 137, signaled.
  task<ExitRecord> wait(ContainerId id);
  /// To the container's init only.
  task<> signal(ContainerId id, int number);
  /// Stops every process of the container where it is, by the kernel's freezer; `thaw` lets them go on. Both
  /// idempotent; `kill_all` and `remove` need no thaw before. Error unsupported: the host has no freezer.
  task<> freeze(ContainerId id);
  task<> thaw(ContainerId id);
  /// SIGKILL to every process of the container's cgroup, until it is empty.
  task<> kill_all(ContainerId id);
  /// Releases shim, cgroup, sockets, bundle; kills what still runs. Idempotent; works without the shim.
  task<> remove(ContainerId id);

  task<std::unique_ptr<StdioSession>> attach(ContainerId id);
  task<> resize(ContainerId id, std::uint16_t rows, std::uint16_t columns);
  task<std::unique_ptr<ExecProcess>> exec(ContainerId id, ExecPlan plan);
  /// The same; `make` is called on a pool thread.
  task<std::unique_ptr<ExecProcess>> exec(ContainerId id, std::function<ExecPlan()> make);
  /// `networks`: with the counters of its network namespace.
  task<Usage> usage(ContainerId id, bool networks);
  /// All of the container's, by its control group.
  task<std::vector<ProcessInfo>> processes(ContainerId id);
  /// The plan's limits for what runs; the rest of the plan is not looked at. Error invalid: the kernel refuses one;
  /// those before it hold.
  task<> update(ContainerId id, Plan plan);

  /// Ids that have a shim, bundle or cgroup left in this instance; what the engine does not know it removes.
  std::vector<ContainerId> leftovers() const;
  /// What shims that waited for a plan left behind when they were killed. Called after `adopt`, before `make_standby`.
  task<> sweep();
  /// Removes the instance's own empty cgroups and directories. Called when the daemon ends with nothing running.
  void cleanup_instance() noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gantry::runtime
