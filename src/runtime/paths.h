#pragma once

#include <filesystem>
#include <string>

#include "gantry/base/ids.h"

/// The run directory, all of it root's alone (0700):
///
///   <run_dir>/crun/<id>/                    the OCI runtime's own state
///   <run_dir>/seccomp/                      compiled system call filters, shared by containers
///   <run_dir>/containers/<id>/              the shim's working directory
///       config.json  plan  crun.log  pid    bundle, what the shim reads, what the OCI runtime says
///       base  group                         what execs read before their own plan; the control group's name
///       shim.sock  shim.pid                 "<pid> <start time>" of the shim
///       e/<exec>/                           the same for an exec: process.json plan crun.log pid shim.sock shim.pid
namespace gantry::runtime {

class Paths {
 public:
  explicit Paths(std::filesystem::path run_dir) : run_dir_(std::move(run_dir)) {}
  const std::filesystem::path& run_dir() const { return run_dir_; }
  std::filesystem::path containers() const { return run_dir_ / "containers"; }
  std::filesystem::path container(const ContainerId& id) const { return containers() / id.str(); }
  std::filesystem::path execs(const ContainerId& id) const { return container(id) / "e"; }
  std::filesystem::path filters() const { return run_dir_ / "seccomp"; }
  std::filesystem::path launcher_root() const { return run_dir_ / "crun"; }
  std::filesystem::path launcher_state(const ContainerId& id) const { return launcher_root() / id.str(); }

 private:
  std::filesystem::path run_dir_;
};

/// The OCI runtime's state seen from a container's and from an exec's directory. Relative, because the run directory
/// may be hidden under kStage in the shim's namespace.
inline constexpr char kLauncherRootFromContainer[] = "../../crun";
inline constexpr char kLauncherRootFromExec[] = "../../../../crun";
inline constexpr char kBaseFromExec[] = "../../base";

}  // namespace gantry::runtime
