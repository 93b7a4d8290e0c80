#include "gantry/base/log.h"
#include "impl.h"

// Online garbage collection. Each step is one short transaction over a few rows, after which whoever waits gets its
// turn; a step that finds that something is needed again leaves it. The grace period covers what is pushed blob by
// blob before the manifest that names it.
namespace gantry::distribution {
namespace {

constexpr std::size_t kCollectedAtOnce = 50;

}  // namespace

std::uint64_t Distribution::Impl::drop_blob(const std::string& digest) {
  std::lock_guard lock(mutex);
  std::optional<rows::BlobRow> gone;
  database.transaction([&](store::Transaction& t) {
    auto row = rows::blob(t, digest);
    if (row && rows::delete_unlinked(t, digest)) gone = row;
  });
  if (!gone) return 0;
  if (gone->shared) {
    held.erase(digest);  // the layer may go with the engine's images now
    return 0;
  }
  blobs.remove(oci::Digest::parse(digest));
  return gone->size;
}

Collected Distribution::collect(bool untagged, std::optional<std::chrono::seconds> grace) {
  auto& impl = *impl_;
  Collected out;
  auto current = seconds_now();
  auto limit = current - grace.value_or(impl.options.grace).count() + (grace && grace->count() == 0 ? 1 : 0);
  out.uploads = impl.uploads.expire(grace ? limit : current - impl.options.upload_expiry.count(), out.bytes);
  for (bool more = untagged; more;) {
    auto count = impl.database.transaction([&](store::Transaction& t) {
      auto list = rows::untagged(t, limit, kCollectedAtOnce);
      for (const auto& [repository, digest] : list) rows::delete_manifest(t, repository, digest);
      return list.size();
    });
    out.manifests += count;
    more = count > 0;
  }
  for (bool more = true; more;) {
    more = impl.database.transaction([&](store::Transaction& t) {
      auto list = rows::unused_links(t, limit, kCollectedAtOnce);
      for (const auto& [repository, digest] : list) rows::unlink(t, repository, digest);
      return !list.empty();
    });
  }
  for (;;) {
    auto list =
        impl.database.transaction([&](store::Transaction& t) { return rows::unlinked_blobs(t, kCollectedAtOnce); });
    for (const auto& digest : list) {
      auto bytes = impl.drop_blob(digest);
      out.bytes += bytes;
      out.blobs += 1;
    }
    if (list.empty()) break;
  }
  if (out.blobs + out.manifests + out.uploads > 0)
    log::info("registry: collected {} uploads, {} manifests, {} blobs, {} bytes", out.uploads, out.manifests, out.blobs,
              out.bytes);
  return out;
}

}  // namespace gantry::distribution
