#include "layer_directory.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "gantry/base/error.h"
#include "gantry/base/log.h"

namespace gantry::image {
namespace fs = std::filesystem;
namespace {

constexpr const char* kIngest = "ingest";

}  // namespace

// Only root looks in: layers hold set-user-id programs of unknown age.
LayerDirectory::LayerDirectory(fs::path root) : root_(std::move(root)) { make_directories(root_ / kIngest, 0700); }

fs::path LayerDirectory::path(const oci::Digest& diff_id) const { return root_ / diff_id.hex() / "fs"; }

bool LayerDirectory::has(const oci::Digest& diff_id) const { return ::access(path(diff_id).c_str(), F_OK) == 0; }

TemporaryDirectory LayerDirectory::ingest() const { return TemporaryDirectory(root_ / kIngest, ""); }

// One call for many files; fsync of each would be slower by orders of magnitude.
void LayerDirectory::sync(const TemporaryDirectory& ingest) const {
  Fd fd = open_file(ingest.path().string(), O_RDONLY | O_DIRECTORY);
  if (::syncfs(fd.get()) < 0) throw_errno("sync " + ingest.path().string());
}

void LayerDirectory::publish(TemporaryDirectory& ingest, const oci::Digest& diff_id) const {
  if (::rename(ingest.path().c_str(), (root_ / diff_id.hex()).c_str()) < 0) {
    if (errno == ENOTEMPTY || errno == EEXIST) return;
    throw_errno("publish layer " + diff_id.str());
  }
  ingest.release();
  sync_directory(root_);
}

TemporaryDirectory LayerDirectory::withdraw(const oci::Digest& diff_id) const {
  TemporaryDirectory trash = ingest();
  if (::rename((root_ / diff_id.hex()).c_str(), trash.path().c_str()) < 0 && errno != ENOENT)
    throw_errno("remove layer " + diff_id.str());
  return trash;
}

std::vector<oci::Digest> LayerDirectory::list() const {
  std::vector<oci::Digest> out;
  for (const auto& entry : fs::directory_iterator(root_)) {
    auto name = entry.path().filename().string();
    if (name != kIngest) out.push_back(oci::Digest::parse("sha256:" + name));
  }
  return out;
}

void LayerDirectory::recover() const {
  for (const auto& entry : fs::directory_iterator(root_ / kIngest)) {
    log::info("layers: removing {}, left unfinished by an earlier run", entry.path().filename().string());
    remove_tree(entry.path());
  }
}

}  // namespace gantry::image
