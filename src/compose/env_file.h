#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "interpolate.h"

namespace gantry::compose {

/// Variables in a file; a name without "=" has no value of its own.
using EnvFile = std::map<std::string, std::optional<std::string>>;

enum class EnvFormat { compose, raw };

/// Parses an environment file (`.env`, `env_file`). Variables set earlier in the file win over `lookup` for
/// interpolation in values without quotes or in double quotes. Mistakes are reported with their line.
EnvFile parse_env_file(std::string_view text, const Source& source, const Lookup& lookup, EnvFormat format,
                       Findings& findings);

}  // namespace gantry::compose
