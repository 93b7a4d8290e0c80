#include <algorithm>

#include "gantry/base/log.h"
#include "mirror_impl.h"

// What was mirrored can be had again. A manifest goes with those of its blobs that no other manifest of its repository
// names; a blob that another repository has, one of our own too, stays for that one.
namespace gantry::distribution {
namespace {

constexpr std::int64_t kFresh = 120;  // seconds: somebody may be pulling it
constexpr std::size_t kDroppedAtOnce = 50;

}  // namespace

MirrorUse Mirror::use() {
  return impl_->local.database.transaction([](store::Transaction& t) { return rows::mirror_use(t); });
}

// The compressed layers, and the index it was found by: with them an image can be repaired, and pushed as it came.
bool Mirror::Impl::is_needed_by_engine(const std::string& repository, const std::string& digest) {
  if (!local.images.images_of_manifest(digest).empty()) return true;
  auto references =
      local.database.transaction([&](store::Transaction& t) { return rows::references_of(t, repository, digest); });
  for (const auto& listed : references)
    if (!local.images.images_of_manifest(listed).empty()) return true;
  return false;
}

std::uint64_t Mirror::Impl::remove(const rows::MirroredManifest& manifest) {
  const auto& [repository, digest, size, used] = manifest;
  std::vector<std::string> unlinked;
  bool gone = local.database.transaction([&](store::Transaction& t) {
    // Used since it was listed: somebody wants it after all.
    auto still = t.number("SELECT 1 FROM distribution_manifests WHERE repository=? AND digest=? AND used=?",
                          {repository, digest, used});
    if (!still) return false;
    auto needed = rows::references_of(t, repository, digest);
    rows::delete_manifest(t, repository, digest);
    for (const auto& blob : needed)
      if (!rows::is_referred_to(t, repository, blob) && rows::unlink(t, repository, blob)) unlinked.push_back(blob);
    return true;
  });
  if (!gone) return 0;
  std::uint64_t bytes = size;
  for (const auto& blob : unlinked) bytes += local.drop_blob(blob);
  log::info("registry: {}@{}: not used for {}, removed to keep mirrors within their budget", repository, digest,
            about(std::chrono::seconds(seconds_now() - used)));
  return bytes;
}

Shrunk Mirror::shrink(std::uint64_t target) {
  auto& impl = *impl_;
  Shrunk out;
  auto used = use();
  auto left = used.blobs + used.manifests;
  auto give_back = [&](std::uint64_t bytes) {
    out.bytes += bytes;
    left -= std::min(left, bytes);
  };
  auto fresh = seconds_now() - kFresh;
  if (left <= target) return out;
  auto strays = impl.local.database.transaction([&](store::Transaction& t) {
    auto list = rows::mirrored_strays(t, fresh);
    for (const auto& [repository, digest] : list) rows::unlink(t, repository, digest);
    return list;
  });
  for (const auto& stray : strays) give_back(impl.local.drop_blob(stray.digest));
  for (std::size_t kept = 0; left > target;) {
    auto list = impl.local.database.transaction(
        [&](store::Transaction& t) { return rows::longest_unused(t, kept, kDroppedAtOnce); });
    if (list.empty()) return out;
    for (const auto& manifest : list) {
      if (left <= target) return out;
      out.later = manifest.used >= fresh;
      if (out.later) return out;
      auto bytes = impl.is_needed_by_engine(manifest.repository, manifest.digest) ? 0 : impl.remove(manifest);
      if (bytes == 0) ++kept;
      out.manifests += bytes > 0;
      give_back(bytes);
    }
  }
  return out;
}

}  // namespace gantry::distribution
