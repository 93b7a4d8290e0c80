#pragma once

#include <string>

#include "gantry/runtime/runtime.h"

namespace gantry::engine {

/// "c 13:* rw" as the devices control group has it. Error invalid.
runtime::DeviceAccess parse_device_rule(const std::string& text);
/// Of r, w and m, each at most once, and at least one.
bool is_device_access(const std::string& text);

}  // namespace gantry::engine
