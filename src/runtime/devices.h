#pragma once

#include <vector>

#include "gantry/oci/runtime_spec.h"
#include "gantry/runtime/runtime.h"

namespace gantry::runtime {

/// The device cgroup: the harmless pseudo-devices and terminals, or everything.
std::vector<oci::runtime::DeviceRule> device_rules(bool privileged);
/// The plan's devices as mounts of nodes and as rules: see PlannedMount::node. Error not_found for one that is not
/// there.
void add_devices(Plan* plan);
/// The number of a block device. Error not_found, or invalid when it is none.
struct BlockDevice {
  std::int64_t major = 0;
  std::int64_t minor = 0;
};
BlockDevice find_block_device(const std::string& path);
/// Every device node below the host's /dev, terminals' and shared-memory file systems left out.
std::vector<oci::runtime::Device> host_devices();

}  // namespace gantry::runtime
