#pragma once

namespace gantry::shim::native {

/// Version 2 has no files for devices: a program of the plan's rules is attached to the group (bpf(2),
/// BPF_PROG_TYPE_CGROUP_DEVICE). The last rule that matches decides; what no rule names is denied.
void attach_device_filter(int cgroup_directory);

}  // namespace gantry::shim::native
