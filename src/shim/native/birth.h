#pragma once

#include <linux/filter.h>

#include <cstddef>

#include "plan.h"

/// What the shim prepares for its child. The first process of a container is older than most of it, so it is in memory
/// both share; it shares the shim's descriptors, too.
namespace gantry::shim::native {

struct Birth {
  int channel;             ///< the child's end
  int joins[kMaxCgroups];  ///< version 1: `tasks` of each hierarchy, open for writing
  std::size_t join_count;
  // From here on: when the plan is known.
  int in, out, err;      ///< the program's streams
  int root;              ///< mounts that are not attached anywhere: the root file system,
  int binds[kMaxBinds];  ///< and the plan's binds
  sock_filter filter[BPF_MAXINSNS];
  std::size_t filter_size;  ///< instructions; 0: none
};

extern Birth& birth;

void share_birth();

}  // namespace gantry::shim::native
