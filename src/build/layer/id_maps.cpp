#include "layer/id_maps.h"

#include <sys/utsname.h>

#include <cstdio>
#include <utility>

namespace gantry::build {

bool maps_ids_in_memory() {
  utsname name{};
  int major = 0;
  int minor = 0;
  if (::uname(&name) < 0 || std::sscanf(name.release, "%d.%d", &major, &minor) != 2) return false;
  return std::pair(major, minor) >= std::pair(6, 3);
}

}  // namespace gantry::build
