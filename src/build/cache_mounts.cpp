#include "cache_mounts.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdio>

#include "gantry/base/files.h"
#include "gantry/base/ids.h"
#include "gantry/image/disk.h"
#include "gantry/oci/digest.h"

namespace gantry::build {

namespace fs = std::filesystem;

namespace {

// Nothing when it is gone: a build gives a new one its name, or puts it aside, while all are looked at.
Fd open_kept(const fs::path& path) {
  Fd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory && errno != ENOENT) throw_errno("open " + path.string());
  return directory;
}

}  // namespace

CacheMounts::CacheMounts(fs::path root) : root_(std::move(root)) { make_directories(root_, 0700); }

CacheMounts::Use::~Use() {
  (void)::utimensat(AT_FDCWD, path().c_str(), nullptr, 0);  // when it was used last
  auto found = owner_.states_.find(name_);
  auto& state = found->second;
  --state.users;
  if (locked_) state.locked = false;
  for (const auto& event : std::exchange(state.waiting, {})) event->set();
  if (state.users == 0) owner_.states_.erase(found);
}

task<std::shared_ptr<CacheMounts::Use>> CacheMounts::take(std::string id, Sharing sharing) {
  auto base = oci::Digest::of(id).hex();
  auto name = base;
  if (sharing == Sharing::private_)
    for (int number = 2; states_.contains(name); ++number) name = base + "-" + std::to_string(number);
  while (sharing == Sharing::locked && states_.contains(name) && states_[name].locked) {
    auto event = std::make_shared<Event>(co_await asio::this_coro::executor);
    states_[name].waiting.push_back(event);
    co_await event->wait();
  }
  auto& state = states_[name];
  ++state.users;
  if (sharing == Sharing::locked) state.locked = true;
  co_return std::make_shared<Use>(*this, name, sharing == Sharing::locked);
}

std::optional<std::string> CacheMounts::set_aside(const std::string& name) {
  if (states_.contains(name)) return std::nullopt;
  // Still below the root: what a crash leaves there is listed, and collected like the others.
  auto aside = "gone-" + random_hex(16);
  if (::rename((root_ / name).c_str(), (root_ / aside).c_str()) < 0) return std::nullopt;
  return aside;
}

std::vector<CacheMounts::Kept> CacheMounts::list() const {
  std::vector<Kept> out;
  for (const auto& entry : fs::directory_iterator(root_)) {
    Fd directory = open_kept(entry.path());
    struct stat info {};
    if (!directory || ::fstat(directory.get(), &info) < 0) continue;
    out.push_back({entry.path().filename().string(), image::disk_usage(directory.get()), info.st_mtim.tv_sec});
  }
  return out;
}

std::uint64_t CacheMounts::remove(const std::string& name) const {
  Fd directory = open_file((root_ / name).string(), O_RDONLY | O_DIRECTORY);
  auto freed = image::disk_usage(directory.get());
  remove_tree(root_ / name);
  return freed;
}

std::uint64_t CacheMounts::size() const {
  std::uint64_t total = 0;
  for (const auto& entry : fs::directory_iterator(root_)) {
    if (Fd directory = open_kept(entry.path())) total += image::disk_usage(directory.get());
  }
  return total;
}

}  // namespace gantry::build
