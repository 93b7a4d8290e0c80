#pragma once

#include <string>

#include "gantry/oci/platform.h"

namespace gantry::build {

using oci::Platform;

/// "linux/arm64", "linux/arm/v7", "arm64", or "local", which is `host`. Error invalid.
Platform parse_platform(const std::string& text, const Platform& host);
/// Whether an image of platform `has` is what `wanted` asks for; a variant counts only when both name one.
bool is_for(const Platform& has, const Platform& wanted);
/// Whether this machine runs programs of a platform: its own, what its processor knows, and what binfmt_misc has an
/// interpreter for.
bool can_run(const Platform& platform, const Platform& host);

}  // namespace gantry::build
