#pragma once

#include <filesystem>

#include "gantry/base/fd.h"
#include "gantry/runtime/standby.h"

/// Shims as processes: started by us, or found again by what `<directory>/shim.pid` says.
namespace gantry::runtime {

/// The shim's program, copied once into sealed memory: what runs in a container's neighbourhood can neither be changed
/// through /proc/<pid>/exe, nor by an upgrade of the package while containers start.
class ShimImage {
 public:
  explicit ShimImage(const std::filesystem::path& program);
  /// To be executed by a child of this process.
  const std::string& path() const { return path_; }

 private:
  Fd memory_;
  std::string path_;
};

/// Starts a shim that waits for its plan. Blocks shortly.
std::unique_ptr<Standby> start_plain_standby(const ShimImage& image);
/// The same with a container's first process, by its early plan. Error: what that failed with.
std::unique_ptr<Standby> start_native_standby(const ShimImage& image, const std::string& early_plan);
/// Makes it the shim of `directory`, where `plan` lies, with the listening socket of that directory.
void assign(Standby& standby, const std::filesystem::path& directory, const Fd& listener);
/// SIGKILL to the shim of `directory`, if it still is that process, and waits for its end. Blocks shortly.
void kill_shim(const std::filesystem::path& directory);

}  // namespace gantry::runtime
