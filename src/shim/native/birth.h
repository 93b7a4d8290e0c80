#pragma once

#include <linux/filter.h>

#include <cstddef>

/// What the shim prepares for the container's first process: in memory both share, since that process is a copy of the
/// holder, which is older than all of this.
namespace gantry::shim::native {

struct Birth {
  int channel;             ///< the child's end
  int in, out, err;        ///< the program's streams; -1: /dev/null
  int joins[32];           ///< version 1: `tasks` of each hierarchy, open for writing
  std::size_t join_count;
  sock_filter filter[BPF_MAXINSNS];
  std::size_t filter_size;  ///< instructions; 0: none
};

extern Birth& birth;

}  // namespace gantry::shim::native
