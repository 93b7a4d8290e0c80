#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gantry/distribution/distribution.h"
#include "gantry/store/store.h"
#include "manifest.h"

/// The module's tables, as functions on a transaction. Times are seconds since 1970.
namespace gantry::distribution::rows {

using store::Transaction;

struct BlobRow {
  std::uint64_t size = 0;
  bool shared = false;  ///< made from a layer of the engine, not kept as a file
};

std::optional<BlobRow> blob(Transaction& t, const std::string& digest);
std::optional<BlobRow> linked_blob(Transaction& t, const std::string& repository, const std::string& digest);
void insert_blob(Transaction& t, const std::string& digest, const BlobRow& row);
/// It is a file now, whatever it was.
void keep_blob(Transaction& t, const std::string& digest, std::uint64_t size);
void link(Transaction& t, const std::string& repository, const std::string& digest, std::int64_t now);
bool unlink(Transaction& t, const std::string& repository, const std::string& digest);
std::vector<std::string> shared_blobs(Transaction& t);
std::vector<std::string> all_files(Transaction& t);

struct ManifestRow {
  std::string digest;
  std::string media_type;
  std::string text;
};
void insert_manifest(Transaction& t, const std::string& repository, const std::string& digest,
                     const ParsedManifest& parsed, const std::string& text, std::int64_t now);
std::optional<ManifestRow> manifest(Transaction& t, const std::string& repository, const std::string& digest);
bool has_manifest(Transaction& t, const std::string& repository, const std::string& digest);
void delete_manifest(Transaction& t, const std::string& repository, const std::string& digest);
std::vector<Referrer> referrers(Transaction& t, const std::string& repository, const std::string& subject);
/// Whether a manifest of this repository needs this blob or manifest.
bool is_referred_to(Transaction& t, const std::string& repository, const std::string& digest);

std::optional<std::string> tag(Transaction& t, const std::string& repository, const std::string& name);
std::vector<std::string> tags_of(Transaction& t, const std::string& repository, const std::string& digest);
void set_tag(Transaction& t, const std::string& repository, const std::string& name, const std::string& digest);
void delete_tag(Transaction& t, const std::string& repository, const std::string& name);
std::vector<std::string> tags(Transaction& t, const std::string& repository, std::size_t limit,
                              const std::string& after);
bool has_repository(Transaction& t, const std::string& name);
std::vector<std::string> repositories(Transaction& t, std::size_t limit, const std::string& after);
RepositoryInfo describe(Transaction& t, const std::string& repository);

struct UploadRow {
  std::string id, repository;
};
void insert_upload(Transaction& t, const UploadRow& upload);
std::optional<UploadRow> upload(Transaction& t, const std::string& id);
std::vector<UploadRow> uploads(Transaction& t);
void delete_upload(Transaction& t, const std::string& id);

struct Link {
  std::string repository, digest;
};
/// Manifests of our own without a tag, in no index and about no manifest that is there, pushed before `limit`; at most
/// `count`.
std::vector<Link> untagged(Transaction& t, std::int64_t limit, std::size_t count);
/// Links that no manifest of their repository needs, made before `limit`; at most `count`.
std::vector<Link> unused_links(Transaction& t, std::int64_t limit, std::size_t count);
/// Blobs that no repository has; at most `count`.
std::vector<std::string> unlinked_blobs(Transaction& t, std::size_t count);
/// False when some repository has it again.
bool delete_unlinked(Transaction& t, const std::string& digest);

Totals totals(Transaction& t);

}  // namespace gantry::distribution::rows
