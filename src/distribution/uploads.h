#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "gantry/base/fd.h"
#include "gantry/distribution/distribution.h"
#include "gantry/oci/digest.h"

namespace gantry::distribution {

/// Blobs on their way in: `<directory>/<id>` is what has come so far, a row says for which repository. Both outlive the
/// process, so that a client can go on where it was; what was hashed is hashed again then. Thread-safe.
class Uploads {
 public:
  Uploads(store::Database& database, std::filesystem::path directory);
  /// Forgets files without a row and rows without a file.
  void recover();

  std::string begin(const std::string& repository);
  std::uint64_t offset(const std::string& repository, const std::string& id);
  std::uint64_t append(const std::string& repository, const std::string& id, std::optional<std::uint64_t> at,
                       std::string_view data);
  /// Checks the digest and syncs; returns the file and its length. The upload is over, whatever comes of it.
  struct Finished {
    std::filesystem::path file;
    std::uint64_t size = 0;
  };
  Finished finish(const std::string& repository, const std::string& id, const oci::Digest& digest);
  void cancel(const std::string& repository, const std::string& id);
  /// Ends those whose last byte came before; returns how many, and adds their bytes.
  std::uint64_t expire(std::int64_t before, std::uint64_t& bytes);

 private:
  struct Session;
  std::shared_ptr<Session> find(const std::string& repository, const std::string& id);
  void forget(const std::string& id);

  store::Database& database_;
  const std::filesystem::path directory_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Session>> sessions_;
};

}  // namespace gantry::distribution
