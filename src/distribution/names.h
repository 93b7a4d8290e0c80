#pragma once

#include <string>
#include <string_view>

#include "gantry/oci/digest.h"

/// The forms that the OCI distribution specification 1.1 gives names, tags and digests ("Pulling manifests").
namespace gantry::distribution {

/// Throws RegistryError NAME_INVALID.
void require_repository(std::string_view name);
bool is_tag(std::string_view text);
/// Throws RegistryError DIGEST_INVALID.
oci::Digest require_digest(const std::string& text);
/// A reference is a digest when it has a colon, which no tag has.
inline bool is_digest(std::string_view reference) { return reference.find(':') != std::string_view::npos; }

}  // namespace gantry::distribution
