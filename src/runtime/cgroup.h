#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "gantry/runtime/runtime.h"

/// Control groups of one instance, in every hierarchy of the host (pure version 2, hybrid or version 1):
/// `<hierarchy>/gantry-<instance>/<container id>`. All functions block shortly.
namespace gantry::runtime {

class CgroupTree {
 public:
  /// `mounts`: the text of /proc/self/mounts.
  CgroupTree(std::string instance, const std::string& mounts);

  /// The path as config.json wants it, the same in each hierarchy.
  std::string path_of(const ContainerId& id) const { return "/" + parent_ + "/" + id.str(); }
  std::vector<std::string> directories(const ContainerId& id) const;
  /// SIGKILL to every process until there is none; an Error (timeout) when they do not go.
  void kill(const ContainerId& id) const;
  /// Kills and removes.
  void remove(const ContainerId& id) const;
  std::vector<ContainerId> containers() const;
  Usage usage(const ContainerId& id) const;
  /// The instance's own directories, when they are empty.
  void remove_instance() const noexcept;

 private:
  std::string parent_;
  std::vector<std::filesystem::path> hierarchies_;
};

}  // namespace gantry::runtime
