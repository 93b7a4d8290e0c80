#pragma once

#include <vector>

#include "gantry/oci/runtime_spec.h"

namespace gantry::runtime {

/// The device cgroup: the harmless pseudo-devices and terminals, or everything.
std::vector<oci::runtime::DeviceRule> device_rules(bool privileged);
/// Every device node below the host's /dev, terminals' and shared-memory file systems left out.
std::vector<oci::runtime::Device> host_devices();

}  // namespace gantry::runtime
