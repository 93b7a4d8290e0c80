#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gantry/distribution/mirror.h"
#include "gantry/store/store.h"
#include "rows.h"

/// What the mirror keeps about the repositories that are another registry's. Times are seconds since 1970.
namespace gantry::distribution::rows {

struct MirroredRepository {
  std::string repository, proxy;
};
std::vector<MirroredRepository> mirrored_repositories(Transaction& t);
bool is_mirrored(Transaction& t, const std::string& repository);
/// Whether something was pushed, or is being pushed, under that name.
bool is_own(Transaction& t, const std::string& repository);
void set_mirrored(Transaction& t, const std::string& repository, const std::string& proxy);
void forget_mirrored(Transaction& t, const std::string& repository);

struct TagState {
  std::string digest;
  std::int64_t checked = 0;
};
std::optional<TagState> tag_state(Transaction& t, const std::string& repository, const std::string& name);
void confirm_tag(Transaction& t, const std::string& repository, const std::string& name, const std::string& digest,
                 std::int64_t now);
/// Notes that a manifest is wanted; once a minute is enough.
void touch(Transaction& t, const std::string& repository, const std::string& digest, std::int64_t now);

/// A manifest of the repository that names the blob.
std::optional<std::string> manifest_naming(Transaction& t, const std::string& repository, const std::string& blob);
/// The blob, when another repository of that proxy has it.
std::optional<BlobRow> sibling_blob(Transaction& t, const std::string& proxy, const std::string& digest);

MirrorUse mirror_use(Transaction& t);
struct MirroredManifest {
  std::string repository, digest;
  std::uint64_t size = 0;
  std::int64_t used = 0;
};
/// By last use, the oldest first; `skip` of them left out, at most `count`.
std::vector<MirroredManifest> longest_unused(Transaction& t, std::size_t skip, std::size_t count);
std::vector<std::string> references_of(Transaction& t, const std::string& repository, const std::string& manifest);
/// Links of mirrored repositories that no manifest needs, made before `limit`.
std::vector<Link> mirrored_strays(Transaction& t, std::int64_t limit);

}  // namespace gantry::distribution::rows
