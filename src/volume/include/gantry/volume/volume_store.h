#pragma once

#include <boost/describe.hpp>

#include <filesystem>
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

struct VolumeInfo {
  std::string name;
  std::string project = "default";
  std::map<std::string, std::string> labels;
  bool anonymous = false;
  Timestamp created{};
  std::string path;  ///< the data directory on the host
};
BOOST_DESCRIBE_STRUCT(VolumeInfo, (), (name, project, labels, anonymous, created, path))

class VolumeStore {
 public:
  VolumeStore(store::Database& database, std::filesystem::path root);

  /// Returns the volume, making it when it is not there. `fresh` says whether it was made by this call, or was made
  /// earlier and never filled (a crash in between): the caller then copies the image's content in and calls `filled`.
  VolumeInfo ensure(const std::string& name, std::map<std::string, std::string> labels, bool anonymous, bool* fresh);
  void filled(const std::string& name);
  /// Error not_found.
  VolumeInfo inspect(const std::string& name) const;
  std::vector<VolumeInfo> list() const;
  /// Containers that use a volume, recorded in the store; a volume in use cannot be removed (conflict, names users).
  void use(const std::string& name, const ContainerId& container);
  void unuse(const ContainerId& container);
  /// The anonymous volumes only this container uses.
  std::vector<std::string> anonymous_of(const ContainerId& container) const;
  void remove(const std::string& name);
  /// Removes directories without a row (a crash between the two). Call once at start.
  void recover();

 private:
  store::Database& database_;
  std::filesystem::path root_;
  std::mutex mutex_;  ///< makes row and directory one step against making and removing the same name
};

}  // namespace gantry::volume
