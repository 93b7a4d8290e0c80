#pragma once

#include <boost/describe.hpp>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "gantry/base/ids.h"
#include "gantry/base/time.h"
#include "gantry/store/store.h"

/// The volume module owns named and anonymous volumes: a row in the store and a directory under
/// `<data_dir>/volumes/<name>/data`. Blocking; call on the pool. Thread-safe.
namespace gantry::volume {

store::Schema schema();

/// What is wanted of a volume. `options` are those of Docker's driver `local`: type, device, o. With them the volume is
/// what they name (nfs, tmpfs, another directory), mounted while a container that uses it runs.
struct VolumeSpec {
  std::string name;
  std::map<std::string, std::string> labels;
  bool anonymous = false;
  std::string driver = "local";
  std::map<std::string, std::string> options;
};
BOOST_DESCRIBE_STRUCT(VolumeSpec, (), (name, labels, anonymous, driver, options))

struct VolumeInfo {
  std::string name;
  std::string project = "default";
  std::map<std::string, std::string> labels;
  bool anonymous = false;
  Timestamp created{};
  std::string path;  ///< the data directory on the host
  std::string driver = "local";
  std::map<std::string, std::string> options;
  std::vector<ContainerId> users;  ///< containers that have it, running or not
};
BOOST_DESCRIBE_STRUCT(VolumeInfo, (), (name, project, labels, anonymous, created, path, driver, options, users))

/// Error invalid for a driver that is not there or options it does not know. Pure.
void require_valid(const VolumeSpec& spec);

class VolumeStore {
 public:
  VolumeStore(store::Database& database, std::filesystem::path root);

  /// Returns the volume, making it when it is not there. `fresh` says whether it was made by this call, or was made
  /// earlier and never filled (a crash in between): the caller then copies the image's content in and calls `filled`.
  /// One that is there stays as it is. Error as `require_valid`.
  VolumeInfo ensure(const VolumeSpec& spec, bool* fresh);
  /// Asked before a new volume is made; may throw. Set once, before there are any requests.
  void on_new(std::function<void(const VolumeSpec&)> admit) { admit_ = std::move(admit); }
  VolumeInfo ensure(const std::string& name, std::map<std::string, std::string> labels, bool anonymous, bool* fresh);
  void filled(const std::string& name);
  /// Error not_found.
  VolumeInfo inspect(const std::string& name) const;
  std::vector<VolumeInfo> list() const;
  /// Containers that use a volume, recorded in the store; a volume in use cannot be removed (conflict, names users).
  void use(const std::string& name, const ContainerId& container);
  void unuse(const ContainerId& container);
  /// For a volume with options: mounts what they name on its directory, unless it is there. Error unavailable with the
  /// kernel's reason.
  void mount(const VolumeInfo& info);
  /// Takes it away again. Idempotent.
  void unmount(const VolumeInfo& info);
  bool is_mounted(const VolumeInfo& info) const;
  /// Bytes its files take on the disk; of one that is mounted only meanwhile: 0.
  std::uint64_t usage(const VolumeInfo& info) const;
  /// The anonymous volumes only this container uses.
  std::vector<std::string> anonymous_of(const ContainerId& container) const;
  /// Error not_found, or conflict while a container has it.
  void remove(const std::string& name);
  /// Removes the volumes no container has that `unwanted` picks. One that is taken meanwhile stays.
  std::vector<VolumeInfo> prune(const std::function<bool(const VolumeInfo&)>& unwanted);
  /// Removes directories without a row (a crash between the two). Call once at start.
  void recover();

 private:
  store::Database& database_;
  std::filesystem::path root_;
  std::function<void(const VolumeSpec&)> admit_;
  std::mutex mutex_;  ///< makes row and directory one step against making and removing the same name
};

}  // namespace gantry::volume
