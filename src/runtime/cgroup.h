#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "gantry/oci/runtime_spec.h"
#include "gantry/runtime/runtime.h"

/// Control groups of one instance, in every hierarchy of the host (pure version 2, hybrid or version 1):
/// `<hierarchy>/gantry-<instance>/<group>`. A container's group has its id as name, unless it was made before the
/// container was known: then `bind` says which it is. All functions block shortly; from any thread.
namespace gantry::runtime {

struct CgroupHierarchy {
  std::filesystem::path directory;  ///< where it is mounted
  std::string options;              ///< version 1: its controllers or name, as mount options
};

/// A file of a container's group and what is to be written to it.
struct CgroupSetting {
  std::filesystem::path file;
  std::string value;
};

class CgroupTree {
 public:
  /// `mounts`: the text of /proc/self/mounts.
  CgroupTree(std::string instance, const std::string& mounts);

  /// From here on the container's group is `group`.
  void bind(const ContainerId& id, std::string group);
  std::string group_of(const ContainerId& id) const;
  bool is_bound(const std::string& group) const;
  void forget(const ContainerId& id);
  /// The path as config.json wants it, the same in each hierarchy.
  std::string path_of(const ContainerId& id) const { return "/" + parent_ + "/" + group_of(id); }
  std::vector<std::string> directories(const std::string& group) const;
  /// Version 1: the group in the hierarchy of `controller`. Error (unsupported) when the host has none.
  std::filesystem::path directory(const std::string& group, const std::string& controller) const;
  bool is_version2() const { return version2_; }
  const std::vector<CgroupHierarchy>& hierarchies() const { return hierarchies_; }
  /// The instance's own groups, in which containers' are made: with the controllers switched on (version 2) or the
  /// processors handed down (version 1).
  void make_instance() const;
  /// A group below these that several containers share, with its limits. Returns what stands before the names of their
  /// groups. It stays until the instance goes.
  std::string make_shared(const SharedGroup& shared) const;
  /// The specification's limits and device rules as files of the group to write, in order.
  std::vector<CgroupSetting> settings(const std::string& group, const oci::runtime::Resources& wanted) const;
  /// Stops every process of the group where it is, and returns when they have stopped. Error timeout: some do not, and
  /// all go on.
  void freeze(const ContainerId& id) const;
  /// They go on. Nothing to do when they never stopped, or are gone.
  void thaw(const ContainerId& id) const;
  /// Takes away what this machine's groups have no file for, as Docker does, with a warning in the log.
  void discard_impossible(const ContainerId& id, Launcher launcher, oci::runtime::Resources* wanted) const;
  /// SIGKILL to every process until there is none, also to frozen ones; an Error (timeout) when they do not go.
  void kill(const ContainerId& id) const;
  /// Kills and removes.
  void remove(const ContainerId& id) const;
  /// The names of all there are; those in shared groups with the shared one's in front.
  std::vector<std::string> groups() const;
  void remove_group(const std::string& group) const;
  Usage usage(const ContainerId& id) const;
  /// Of every process, also in groups the container made for itself.
  std::vector<pid_t> processes(const ContainerId& id) const;
  /// Writes limits (not device rules) to a group that is in use: `settings` in an order the kernel accepts.
  void update(const ContainerId& id, oci::runtime::Resources wanted) const;
  /// The instance's own directories, when they are empty.
  void remove_instance() const noexcept;

 private:
  struct Freezer {
    std::filesystem::path control;
    std::string frozen, thawed;
    std::filesystem::path state;
    std::string is_frozen;
  };
  Freezer freezer(const std::string& group) const;
  bool has_controller(const std::string& name) const;

  std::string parent_;
  std::vector<CgroupHierarchy> hierarchies_;
  bool version2_ = false;
  mutable std::mutex mutex_;
  mutable std::set<std::string> shared_;  ///< that have their limits
  std::map<ContainerId, std::string> bound_;
};

}  // namespace gantry::runtime
