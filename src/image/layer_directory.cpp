#include "layer_directory.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "gantry/base/error.h"
#include "gantry/base/ids.h"
#include "gantry/base/log.h"

namespace gantry::image {
namespace fs = std::filesystem;
namespace {

constexpr const char* kIngest = "ingest";
constexpr const char* kOld = "old";

// Of a replaced layer: "<hex>.<random>".
std::string hex_of(const fs::path& replaced) {
  auto name = replaced.filename().string();
  return name.substr(0, name.find('.'));
}

}  // namespace

// Only root looks in: layers hold set-user-id programs of unknown age.
LayerDirectory::LayerDirectory(fs::path root, fs::path mounts) : root_(std::move(root)) {
  make_directories(root_ / kIngest, 0700);
  if (!mounts.empty()) mounts_ = std::make_unique<LayerMounts>(std::move(mounts));
}

bool LayerDirectory::takes_images() const { return mounts_ && mounts_->obstacle().empty(); }

fs::path LayerDirectory::path(const oci::Digest& diff_id) const {
  auto image = place(diff_id) / kImage;
  bool is_image = mounts_ && ::access(image.c_str(), F_OK) == 0;
  return is_image ? mounts_->mounted(diff_id.hex(), image) : place(diff_id) / kTree;
}

bool LayerDirectory::has(const oci::Digest& diff_id) const {
  return ::access((place(diff_id) / kTree).c_str(), F_OK) == 0 ||
         ::access((place(diff_id) / kImage).c_str(), F_OK) == 0;
}

TemporaryDirectory LayerDirectory::ingest() const { return TemporaryDirectory(root_ / kIngest, ""); }

// An image and what is beside it: few files.
void LayerDirectory::sync(const TemporaryDirectory& ingest) const {
  if (::access((ingest.path() / kImage).c_str(), F_OK) < 0) return sync_all(ingest.path());
  for (const auto& entry : fs::directory_iterator(ingest.path())) {
    Fd file = open_file(entry.path().string(), O_RDONLY);
    if (::fsync(file.get()) < 0) throw_errno("sync " + entry.path().string());
  }
  sync_directory(ingest.path());
}

// One call for many files; fsync of each would be slower by orders of magnitude.
void LayerDirectory::sync_all(const fs::path& place) const {
  Fd fd = open_file(place.string(), O_RDONLY | O_DIRECTORY);
  std::unique_lock lock(rounds_->mutex);
  auto mine = ++rounds_->asked;
  while (rounds_->done < mine) {
    if (rounds_->running) {
      rounds_->changed.wait(lock);
      continue;
    }
    rounds_->running = true;
    auto covered = rounds_->asked;
    lock.unlock();
    int failed = ::syncfs(fd.get()) < 0 ? errno : 0;
    lock.lock();
    rounds_->running = false;
    rounds_->changed.notify_all();
    if (failed != 0) throw system_error(failed, "sync " + place.string());
    rounds_->done = std::max(rounds_->done, covered);
  }
}

void LayerDirectory::publish(TemporaryDirectory& ingest, const oci::Digest& diff_id) const {
  if (::rename(ingest.path().c_str(), (root_ / diff_id.hex()).c_str()) < 0) {
    if (errno == ENOTEMPTY || errno == EEXIST) return;
    throw_errno("publish layer " + diff_id.str());
  }
  ingest.release();
  sync_directory(root_);
}

// The new one goes where the old one is to be, and both change places: a crash in between leaves a copy there that
// nobody needs, never an old one that is deleted under who has it mounted.
void LayerDirectory::replace(TemporaryDirectory& ingest, const oci::Digest& diff_id) const {
  make_directories(root_ / kOld, 0700);
  auto place = root_ / diff_id.hex();
  auto aside = root_ / kOld / (diff_id.hex() + "." + random_hex(8));
  if (::rename(ingest.path().c_str(), aside.c_str()) < 0) throw_errno("replace layer " + diff_id.str());
  ingest.release();
  bool swapped = ::renameat2(AT_FDCWD, aside.c_str(), AT_FDCWD, place.c_str(), RENAME_EXCHANGE) == 0;
  // One whose files are gone altogether has nothing to change places with.
  if (!swapped && (errno != ENOENT || ::rename(aside.c_str(), place.c_str()) < 0))
    throw_errno("replace layer " + diff_id.str());
  if (mounts_) mounts_->supersede(diff_id.hex());
  sync_directory(root_);
  sync_directory(root_ / kOld);
}

void LayerDirectory::drop_replaced(const std::function<bool(const std::string&)>& in_use) const {
  std::vector<fs::path> gone;
  std::error_code none;  // nothing has ever been replaced
  for (const auto& entry : fs::directory_iterator(root_ / kOld, none)) {
    if (!in_use("sha256:" + hex_of(entry.path()))) gone.push_back(entry.path());
  }
  for (const auto& path : gone) {
    if (mounts_) mounts_->drop_superseded(hex_of(path));
    remove_tree(path);
  }
}

TemporaryDirectory LayerDirectory::withdraw(const oci::Digest& diff_id) const {
  TemporaryDirectory trash = ingest();
  if (::rename((root_ / diff_id.hex()).c_str(), trash.path().c_str()) < 0 && errno != ENOENT)
    throw_errno("remove layer " + diff_id.str());
  if (mounts_) mounts_->release(diff_id.hex());  // now that nobody can mount it any more
  return trash;
}

std::vector<oci::Digest> LayerDirectory::list() const {
  std::vector<oci::Digest> out;
  for (const auto& entry : fs::directory_iterator(root_)) {
    auto name = entry.path().filename().string();
    if (name != kIngest && name != kOld) out.push_back(oci::Digest::parse("sha256:" + name));
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
