#pragma once

#include <filesystem>
#include <mutex>

#include "gantry/base/fd.h"
#include "gantry/base/process.h"
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

/// Where shims come from: copies of one process, which is started with the first of them, again when it was killed, and
/// ends with this.
class ShimMaker {
 public:
  explicit ShimMaker(const std::filesystem::path& program) : image_(program) {}
  ShimMaker(const ShimMaker&) = delete;
  ShimMaker& operator=(const ShimMaker&) = delete;
  ~ShimMaker();

  /// A child of ours that has done nothing yet. Any thread; blocks shortly.
  std::unique_ptr<Standby> make(StandbyKind kind);

 private:
  void start_zygote();
  void end_zygote();
  /// Nothing when the zygote has gone.
  std::optional<pid_t> order(StandbyKind kind, const Fd& socket);

  ShimImage image_;
  std::mutex mutex_;
  std::optional<Child> zygote_;
  Fd orders_;
};

/// A shim that waits for its plan. Blocks shortly.
std::unique_ptr<Standby> start_plain_standby(ShimMaker& maker);
/// The same with a container's first process, by its early plan. Error: what that failed with.
std::unique_ptr<Standby> start_native_standby(ShimMaker& maker, const std::string& early_plan);
/// Makes it the shim of `directory`, where `plan` lies, with the listening socket of that directory.
void assign(Standby& standby, const std::filesystem::path& directory, const Fd& listener);
/// SIGKILL to the shim of `directory`, if it still is that process, and waits for its end. Blocks shortly.
void kill_shim(const std::filesystem::path& directory);

}  // namespace gantry::runtime
