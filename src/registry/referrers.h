#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "remote.h"

/// What is about a manifest (signatures, attestations, lists of parts), as the OCI distribution specification 1.1 keeps
/// it: at registries that know referrers behind an address of its own, at others in an index under a tag that
/// clients look after ("Listing Referrers", "Referrers Tag Schema").
namespace gantry::registry {

/// Digests of the manifests about `digest`; not what is about those again.
std::vector<std::string> find_referrers(Remote& remote, const std::string& digest, const Retries::Tell& tell);

/// Tags under which cosign before version 3 keeps things about `digest`, whether they are there or not.
std::vector<std::string> digest_tags(const std::string& digest);

/// Puts a manifest (`text`, of that media type and digest) on the list of what is about `subject`, at a registry that
/// has taken it without minding what it is about.
void list_referrer(Remote& remote, const std::string& subject, std::string_view text, const std::string& media_type,
                   const std::string& digest);

}  // namespace gantry::registry
