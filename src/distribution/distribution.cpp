#include "gantry/distribution/distribution.h"

#include <algorithm>
#include <array>
#include <set>

#include "gantry/base/log.h"
#include "impl.h"
#include "manifest.h"
#include "names.h"

namespace gantry::distribution {
namespace {

constexpr std::array<std::string_view, 15> kCodes{"BLOB_UNKNOWN",     "BLOB_UPLOAD_INVALID",   "BLOB_UPLOAD_UNKNOWN",
                                                  "DIGEST_INVALID",   "MANIFEST_BLOB_UNKNOWN", "MANIFEST_INVALID",
                                                  "MANIFEST_UNKNOWN", "NAME_INVALID",          "NAME_UNKNOWN",
                                                  "SIZE_INVALID",     "UNAUTHORIZED",          "DENIED",
                                                  "UNSUPPORTED",      "TOOMANYREQUESTS",       "UNKNOWN"};

[[noreturn]] void no_blob(const std::string& digest) {
  throw RegistryError(Code::BLOB_UNKNOWN, ErrorKind::not_found, "the repository has no blob " + digest);
}

[[noreturn]] void cannot_change(const std::string& repository, const std::string& tag) {
  throw RegistryError(Code::DENIED, ErrorKind::conflict, repository + ":" + tag + " is immutable here",
                      "push under another tag");
}

Page page_of(std::vector<std::string> names, std::size_t limit) {
  bool more = names.size() > limit;
  if (more) names.resize(limit);
  return {std::move(names), more};
}

}  // namespace

std::string_view to_string(Code code) { return kCodes.at(static_cast<std::size_t>(code)); }

std::int64_t seconds_now() {
  return std::chrono::duration_cast<std::chrono::seconds>(now().time_since_epoch()).count();
}

Distribution::Impl::Impl(store::Database& database_in, image::ImageStore& images_in, Options options_in)
    : database(database_in),
      images(images_in),
      options(std::move(options_in)),
      blobs(options.root),
      uploads(database, options.root / "uploads") {
  for (const auto& pattern : options.immutable) immutable.emplace_back(pattern);
}

bool Distribution::Impl::hold_layer(const std::string& digest) {
  if (held.contains(digest)) return true;
  auto lease = images.lease();
  try {
    images.hold(*lease, digest);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
    return false;
  }
  if (!images.has_layer_tar(digest)) return false;
  held[digest] = std::move(lease);
  return true;
}

std::optional<rows::BlobRow> Distribution::Impl::share_layer(const std::string& digest) {
  auto known = database.transaction([&](store::Transaction& t) { return rows::blob(t, digest); });
  if (known) return known;
  if (!hold_layer(digest)) return std::nullopt;
  rows::BlobRow row{images.layer_bytes(digest), true};
  database.transaction([&](store::Transaction& t) { rows::insert_blob(t, digest, row); });
  return row;
}

bool Distribution::Impl::is_immutable(const std::string& repository, const std::string& tag) const {
  auto name = repository + ":" + tag;
  return std::ranges::any_of(immutable, [&](const auto& pattern) { return pattern.matches(name); });
}

std::string Distribution::Impl::resolve(store::Transaction& t, const std::string& repository,
                                        const std::string& reference) const {
  auto digest =
      is_digest(reference) ? std::optional(require_digest(reference).str()) : rows::tag(t, repository, reference);
  if (digest && rows::has_manifest(t, repository, *digest)) return *digest;
  if (!rows::has_repository(t, repository))
    throw RegistryError(Code::NAME_UNKNOWN, ErrorKind::not_found, "no repository " + repository);
  throw RegistryError(Code::MANIFEST_UNKNOWN, ErrorKind::not_found, repository + " has no manifest " + reference);
}

Distribution::Distribution(store::Database& database, image::ImageStore& images, Options options)
    : impl_(std::make_unique<Impl>(database, images, std::move(options))) {}
Distribution::~Distribution() = default;

void Distribution::recover() {
  std::lock_guard lock(impl_->mutex);
  impl_->blobs.recover();
  impl_->uploads.recover();
  std::vector<std::string> shared, files;
  impl_->database.transaction([&](store::Transaction& t) {
    shared = rows::shared_blobs(t);
    files = rows::all_files(t);
  });
  for (const auto& digest : shared)
    if (!impl_->hold_layer(digest))
      log::warn("registry: blob {} was made from a layer that is gone; push the images that need it again", digest);
  // A crash between the file's name and its row, or between the row's removal and the file's.
  std::set<std::string> known(files.begin(), files.end());
  for (const auto& digest : impl_->blobs.list())
    if (!known.contains(digest.str())) impl_->blobs.remove(digest);
}

std::optional<std::uint64_t> Distribution::blob_size(const std::string& repository, const std::string& digest) {
  require_repository(repository);
  auto wanted = require_digest(digest).str();
  auto row =
      impl_->database.transaction([&](store::Transaction& t) { return rows::linked_blob(t, repository, wanted); });
  if (row) return row->size;
  if (!impl_->images.has_layer_tar(wanted)) return std::nullopt;
  return impl_->images.layer_bytes(wanted);
}

Blob Distribution::open_blob(const std::string& repository, const std::string& digest) {
  require_repository(repository);
  auto wanted = require_digest(digest);
  auto row = impl_->database.transaction(
      [&](store::Transaction& t) { return rows::linked_blob(t, repository, wanted.str()); });
  if (!row) no_blob(wanted.str());
  if (!row->shared) return Blob(row->size, impl_->blobs.open(wanted));
  std::shared_ptr<image::ImageStore::Lease> lease;
  {
    std::lock_guard lock(impl_->mutex);
    if (!impl_->hold_layer(wanted.str())) no_blob(wanted.str());
    lease = impl_->held.at(wanted.str());
  }
  return Blob(row->size, [this, lease, id = wanted.str()](const std::function<void(std::string_view)>& sink) {
    impl_->images.write_layer(id, sink);
  });
}

void Distribution::delete_blob(const std::string& repository, const std::string& digest) {
  require_repository(repository);
  auto wanted = require_digest(digest).str();
  bool removed = impl_->database.transaction([&](store::Transaction& t) {
    if (rows::is_referred_to(t, repository, wanted))
      throw RegistryError(Code::DENIED, ErrorKind::conflict, "blob " + wanted + " is needed by a manifest",
                          "delete the manifest first");
    return rows::unlink(t, repository, wanted);
  });
  if (!removed) no_blob(wanted);
  impl_->drop_blob(wanted);
}

bool Distribution::mount(const std::string& repository, const std::string& digest, const std::string& from) {
  require_repository(repository);
  if (!from.empty()) require_repository(from);
  auto wanted = require_digest(digest).str();
  std::lock_guard lock(impl_->mutex);
  bool linked = impl_->database.transaction([&](store::Transaction& t) {
    bool there = from.empty() ? rows::blob(t, wanted).has_value() : rows::linked_blob(t, from, wanted).has_value();
    if (there) rows::link(t, repository, wanted, seconds_now());
    return there;
  });
  // A layer of the engine counts as everybody's; what only another repository has does not.
  if (linked || !impl_->images.has_layer_tar(wanted) || !impl_->share_layer(wanted)) return linked;
  impl_->database.transaction([&](store::Transaction& t) { rows::link(t, repository, wanted, seconds_now()); });
  return true;
}

std::string Distribution::begin_upload(const std::string& repository) {
  require_repository(repository);
  return impl_->uploads.begin(repository);
}

std::uint64_t Distribution::upload_offset(const std::string& repository, const std::string& id) {
  return impl_->uploads.offset(repository, id);
}

std::uint64_t Distribution::append(const std::string& repository, const std::string& id,
                                   std::optional<std::uint64_t> at, std::string_view data) {
  return impl_->uploads.append(repository, id, at, data);
}

void Distribution::finish_upload(const std::string& repository, const std::string& id, const std::string& digest) {
  auto wanted = require_digest(digest);
  auto finished = impl_->uploads.finish(repository, id, wanted);
  std::lock_guard lock(impl_->mutex);
  impl_->blobs.adopt(finished.file, wanted);
  impl_->database.transaction([&](store::Transaction& t) {
    rows::insert_blob(t, wanted.str(), {finished.size, false});
    rows::link(t, repository, wanted.str(), seconds_now());
  });
}

void Distribution::cancel_upload(const std::string& repository, const std::string& id) {
  impl_->uploads.cancel(repository, id);
}

Stored Distribution::put_manifest(const std::string& repository, const std::string& reference,
                                  const std::string& content_type, const std::string& text) {
  require_repository(repository);
  auto digest = oci::Digest::of(text);
  bool by_digest = is_digest(reference);
  if (by_digest && require_digest(reference) != digest)
    throw RegistryError(Code::DIGEST_INVALID, ErrorKind::invalid, "the manifest's digest is " + digest.str());
  if (!by_digest && !is_tag(reference))
    throw RegistryError(Code::MANIFEST_INVALID, ErrorKind::invalid, "the tag has not the form of one",
                        "letters, digits, '_', '.' and '-', at most 128");
  auto parsed = parse_manifest(text, content_type);
  std::lock_guard lock(impl_->mutex);
  std::vector<std::string> of_the_engine;
  for (const auto& blob : parsed.blobs) {
    bool linked = impl_->database.transaction(
        [&](store::Transaction& t) { return rows::linked_blob(t, repository, blob).has_value(); });
    if (linked) continue;
    if (!impl_->images.has_layer_tar(blob) || !impl_->share_layer(blob))
      throw RegistryError(Code::MANIFEST_BLOB_UNKNOWN, ErrorKind::not_found,
                          "the manifest names the blob " + blob + ", which " + repository + " does not have",
                          "push the blob first");
    of_the_engine.push_back(blob);
  }
  impl_->database.transaction([&](store::Transaction& t) {
    for (const auto& blob : of_the_engine) rows::link(t, repository, blob, seconds_now());
    // Asked again: between the look and now one may have been deleted.
    for (const auto& blob : parsed.blobs)
      if (!rows::linked_blob(t, repository, blob))
        throw RegistryError(Code::MANIFEST_BLOB_UNKNOWN, ErrorKind::not_found, "blob " + blob + " is gone again");
    for (const auto& listed : parsed.manifests)
      if (!rows::has_manifest(t, repository, listed))
        throw RegistryError(Code::MANIFEST_BLOB_UNKNOWN, ErrorKind::not_found,
                            "the index lists the manifest " + listed + ", which " + repository + " does not have",
                            "push the manifests it lists first");
    if (!by_digest) {
      auto before = rows::tag(t, repository, reference);
      if (before && *before != digest.str() && impl_->is_immutable(repository, reference))
        cannot_change(repository, reference);
    }
    rows::insert_manifest(t, repository, digest.str(), parsed, text, seconds_now());
    if (!by_digest) rows::set_tag(t, repository, reference, digest.str());
  });
  return {digest, parsed.subject};
}

Manifest Distribution::manifest(const std::string& repository, const std::string& reference) {
  require_repository(repository);
  auto row = impl_->database.transaction(
      [&](store::Transaction& t) { return rows::manifest(t, repository, impl_->resolve(t, repository, reference)); });
  return {oci::Digest::parse(row->digest), row->media_type, row->text};
}

void Distribution::delete_manifest(const std::string& repository, const std::string& reference) {
  require_repository(repository);
  impl_->database.transaction([&](store::Transaction& t) {
    auto digest = impl_->resolve(t, repository, reference);
    for (const auto& tag : rows::tags_of(t, repository, digest))
      if ((is_digest(reference) || tag == reference) && impl_->is_immutable(repository, tag))
        cannot_change(repository, tag);
    if (!is_digest(reference)) return rows::delete_tag(t, repository, reference);
    if (rows::is_referred_to(t, repository, digest))
      throw RegistryError(Code::DENIED, ErrorKind::conflict, "an index lists the manifest " + digest,
                          "delete the index first");
    rows::delete_manifest(t, repository, digest);
  });
}

Page Distribution::tags(const std::string& repository, std::size_t limit, const std::string& after) {
  require_repository(repository);
  return page_of(impl_->database.transaction([&](store::Transaction& t) {
    if (!rows::has_repository(t, repository))
      throw RegistryError(Code::NAME_UNKNOWN, ErrorKind::not_found, "no repository " + repository);
    return rows::tags(t, repository, limit + 1, after);
  }),
                 limit);
}

Page Distribution::repositories(std::size_t limit, const std::string& after) {
  return page_of(
      impl_->database.transaction([&](store::Transaction& t) { return rows::repositories(t, limit + 1, after); }),
      limit);
}

std::vector<RepositoryInfo> Distribution::describe() {
  constexpr std::size_t kAll = 1u << 30;
  return impl_->database.transaction([&](store::Transaction& t) {
    std::vector<RepositoryInfo> out;
    for (const auto& name : rows::repositories(t, kAll, "")) out.push_back(rows::describe(t, name));
    return out;
  });
}

std::vector<Referrer> Distribution::referrers(const std::string& repository, const std::string& digest,
                                              const std::string& artifact_type) {
  require_repository(repository);
  auto subject = require_digest(digest).str();
  auto list =
      impl_->database.transaction([&](store::Transaction& t) { return rows::referrers(t, repository, subject); });
  if (!artifact_type.empty())
    std::erase_if(list, [&](const auto& referrer) { return referrer.artifact_type != artifact_type; });
  return list;
}

Totals Distribution::totals() {
  return impl_->database.transaction([](store::Transaction& t) { return rows::totals(t); });
}

}  // namespace gantry::distribution
