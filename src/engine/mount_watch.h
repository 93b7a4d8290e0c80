#pragma once

#include "gantry/base/fd.h"

namespace gantry::engine {

/// Whether the host's mounts have changed: what was made ahead has a mount namespace from before, and where `/` is
/// private (hosts without systemd) nothing that is mounted or unmounted on the host since reaches it.
class MountWatch {
 public:
  /// Throws Error when /proc is not there.
  MountWatch();
  /// Counts the changes that were seen. Does not block; a few microseconds.
  unsigned generation();

 private:
  Fd table_;
  unsigned generation_ = 0;
};

}  // namespace gantry::engine
