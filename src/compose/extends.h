#pragma once

#include <functional>
#include <optional>

#include "value.h"

namespace gantry::compose {

/// Reads, parses and interpolates another compose file, with paths relative to its own directory. nullopt after
/// having reported that it cannot.
using OpenFile = std::function<std::optional<Node>(const std::filesystem::path& file, const Value& asked_by)>;

/// Replaces `extends` in every service of the file by what it stands for. Reports cycles and what is not there.
void resolve_extends(Node& root, Reader& reader, const OpenFile& open);

}  // namespace gantry::compose
