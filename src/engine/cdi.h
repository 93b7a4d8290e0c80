#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "gantry/runtime/runtime.h"

/// Devices by name, after the Container Device Interface (github.com/cncf-tags/container-device-interface, SPEC.md):
/// files `*.json` in a few directories say what each device, "vendor.com/class=name", adds to a container.
namespace gantry::engine {

/// Where they are looked for; what is in a later one wins.
const std::vector<std::filesystem::path>& cdi_directories();

/// Adds to the plan what the devices want: nodes, mounts, variables, groups, hooks. Error not_found for a device that
/// no file describes, invalid for a file that is malformed, conflict when two files of one directory describe it.
/// Blocking.
void add_cdi_devices(const std::vector<std::string>& names, const std::vector<std::filesystem::path>& directories,
                     runtime::Plan* plan);

/// Error invalid for what is no name of a device.
void require_cdi_name(const std::string& name);

}  // namespace gantry::engine
