#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>

/// What the daemon asks for, read once from the file `plan` in the working directory: NUL-ended words, each keyword
/// followed by its fixed number of values (the table in plan.cpp). The strings live in a static buffer.
namespace gantry::shim {

inline constexpr std::size_t kMaxLayers = 500;
inline constexpr std::size_t kMaxBinds = 256;
inline constexpr std::size_t kMaxCgroups = 32;
inline constexpr std::size_t kMaxLimits = 16;
inline constexpr std::size_t kMaxWords = 16384;  ///< arguments, and variables
inline constexpr std::size_t kMaxGroups = 1024;
inline constexpr std::size_t kMaxMounts = 512;
inline constexpr std::size_t kMaxPaths = 64;
inline constexpr std::size_t kMaxSettings = 256;
inline constexpr std::size_t kMaxDevices = 512;

struct Bind {
  const char* source;
  bool id_mapped;
  bool recursive;
  bool read_only;
  pid_t seen_by;        ///< the source is looked up in this process' mount namespace; 0: in ours
  const char* beneath;  ///< below the source, and not leading out of it; or empty
  /// Instead of a source: a device made for the container alone.
  char device_type;  ///< c or b; 0: none
  std::uint32_t major, minor, mode, uid, gid;
};

/// Null: one of the container's own. Empty: the host's. Else the path of one to join.
struct Namespaces {
  const char* user = nullptr;
  const char* pid = nullptr;
  const char* network = nullptr;
  const char* ipc = nullptr;
  const char* uts = nullptr;
  const char* cgroup = nullptr;
};

struct RlimitWish {
  int resource;
  std::uint64_t soft;
  std::uint64_t hard;
};

/// A list of the plan. Its elements are not initialized: what is not used of the array is never touched.
template <class T, std::size_t N>
struct List {
  static constexpr std::size_t kMost = N;
  T items[N];
  std::size_t count;
  const T* begin() const { return items; }
  const T* end() const { return items + count; }
};

/// A mount the native launcher makes in the container, in order. `kind` "bind" takes the bind of that number.
struct MountWish {
  const char* kind;
  const char* target;
  std::uint64_t flags;   ///< MOUNT_ATTR_*
  const char* options;   ///< of the file system, separated by commas; the bind's number
  bool deep;             ///< bind: the flags are for the mounts below, too
  unsigned propagation;  ///< bind: MS_SHARED and so on; 0: private, with all below
};

struct Setting {
  const char* name;
  const char* value;
};

struct DeviceNode {
  const char* path;
  char type;  ///< c or b
  std::uint32_t major;
  std::uint32_t minor;
  std::uint32_t mode;
};

/// One rule of the version 2 device filter; a number that is -1 stands for all.
struct DeviceRule {
  bool allow;
  char type;  ///< a, c or b
  std::int64_t major;
  std::int64_t minor;
  const char* access;
};

struct Plan {
  bool exec = false;
  bool native = false;
  bool tty = false;
  bool open_stdin = false;
  const char* crun = "";
  const char* crun_root = "";
  const char* id = "";
  const char* state_dir = "";
  std::uint64_t log_max_size = 0;
  int log_max_files = 1;
  std::uint32_t owner_uid = 0;  ///< of the standard streams, on the host
  std::uint32_t owner_gid = 0;
  bool mapped = false;
  std::uint32_t map_host = 0;
  std::uint32_t map_size = 0;
  const char* upper = "";
  const char* work = "";
  const char* layers[kMaxLayers];
  std::size_t layer_count = 0;
  Bind binds[kMaxBinds];
  std::size_t bind_count = 0;
  const char* cgroups[kMaxCgroups];
  std::size_t cgroup_count = 0;
  RlimitWish limits[kMaxLimits];
  std::size_t limit_count = 0;

  // For the native launcher only.
  pid_t container_pid = 0;  ///< exec: the container's init
  Namespaces namespaces;
  const char* hostname = "";
  const char* domain_name = "";
  const char* oom_score_adj = "";  ///< empty: as it is
  const char* working_dir = "/";
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::uint64_t capabilities = 0;  ///< a bit for each
  bool no_new_privileges = false;
  bool read_only_root = false;
  bool default_devices = false;
  const char* seccomp = "";  ///< a file of struct sock_filter, or empty
  List<const char*, kMaxWords> arguments;
  List<const char*, kMaxWords> environment;
  List<std::uint32_t, kMaxGroups> groups;
  List<MountWish, kMaxMounts> mounts;
  List<const char*, kMaxPaths> masked;
  List<const char*, kMaxPaths> read_only;
  List<Setting, kMaxSettings> sysctls;
  List<Setting, kMaxSettings> cgroup_settings;  ///< absolute path of the file, value
  List<DeviceRule, kMaxPaths> device_rules;     ///< version 2 only
  List<DeviceNode, kMaxDevices> devices;
};

extern Plan& plan;

/// Before anything is read: the launcher's children share the plan from here on, since one of them is born before it is
/// known. Not for an exec, whose process may be traced by others from the moment it is in their container.
void share_plan();

/// Fails the shim when the file is malformed. The plan of an exec is read over its container's.
void read_plan();
/// What does not depend on the container: its words come first, `read_plan` adds to them.
void read_early_plan(int file);

}  // namespace gantry::shim
