#include "layer_check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "gantry/base/bounded_queue.h"
#include "gantry/base/error.h"
#include "gantry/oci/digest.h"
#include "image_store_impl.h"
#include "layer_tar.h"
#include "piece.h"
#include "plain_names.h"
#include "tar_recipe.h"
#include "tree_expectation.h"
#include "tree_walk.h"

namespace gantry::image {
namespace {

constexpr std::size_t kPiecesToCheck = 16;
constexpr std::size_t kMostSuspects = 20;

/// What another thread makes of a recipe, as the tar reader wants it.
class ReplayedTar : public TarSource {
 public:
  explicit ReplayedTar(BoundedQueue<std::string>& queue) : queue_(queue) {}
  std::string_view next() override {
    auto piece = queue_.pop();
    current_ = piece ? std::move(*piece) : std::string();
    return current_;
  }
  void expect_only_zeros_after(std::uint64_t) override {
    while (true)
      if (next().empty()) return;
  }
  bool is_verified() const override { return true; }

 private:
  BoundedQueue<std::string>& queue_;
  std::string current_;
};

bool is_later(const timespec& a, const timespec& b) {
  return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

class LayerChecker {
 public:
  LayerChecker(const LayerToCheck& layer, const std::function<void(std::uint64_t)>& progress)
      : layer_(layer), progress_(progress) {}

  CheckedLayer run() {
    try {
      open();
    } catch (const Error& error) {
      // That this host cannot mount images says nothing of this one.
      if (error.kind() == ErrorKind::unavailable && !image_obstacle().empty()) throw;
      note("", error.message());
      return std::move(out_);
    }
    auto recipe = layer_.directory / kRecipe;
    try {
      if (std::filesystem::exists(recipe)) {
        by_recipe(open_file(recipe.string(), O_RDONLY));
      } else if (layer_.canonical) {
        by_rules();
      } else {
        out_.comparable = false;
        read_all();
      }
    } catch (const Error& error) {
      if (error.kind() == ErrorKind::cancelled) throw;
      note("", error.message());
    }
    return std::move(out_);
  }

 private:
  // An image is mounted anew: what others have mounted may still be in memory as it was.
  void open() {
    auto image = layer_.directory / kImage;
    if (::access(image.c_str(), F_OK) == 0) mount_ = mount_image(image, true);
    auto tree = mount_ ? "/proc/self/fd/" + std::to_string(mount_.get()) : (layer_.directory / kTree).string();
    directory_ = Fd(::open(tree.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory_) return;
    throw Error(ErrorKind::not_found,
                errno == ENOENT ? "its files are gone" : std::string("cannot be opened: ") + ::strerrordesc_np(errno));
  }

  // From both threads.
  void note(const std::string& path, const std::string& problem) {
    std::lock_guard lock(mutex_);
    out_.faults.push_back({path, problem});
  }

  void count(std::size_t bytes) {
    out_.bytes += bytes;
    if (progress_) progress_(out_.bytes);
  }

  void by_recipe(Fd recipe) {
    FaultSink fault = [this](const std::string& path, const std::string& problem) { note(path, problem); };
    BoundedQueue<std::string> queue(kPiecesToCheck);
    std::string diff_id;
    std::exception_ptr failure;
    std::thread replaying([&] {
      try {
        diff_id = replay(recipe.get(), fault, queue);
      } catch (...) {
        failure = std::current_exception();
        queue.fail(failure);
      }
    });
    std::exception_ptr stopped;
    try {
      compare(queue, fault);
    } catch (...) {
      stopped = std::current_exception();
      queue.fail(stopped);
    }
    replaying.join();
    if (failure) std::rethrow_exception(failure);
    if (stopped) std::rethrow_exception(stopped);
    // A file that is missing is noticed by both.
    auto same = [](const FileFault& a, const FileFault& b) { return a.path == b.path; };
    std::stable_sort(out_.faults.begin(), out_.faults.end(),
                     [](const auto& a, const auto& b) { return a.path < b.path; });
    out_.faults.erase(std::unique(out_.faults.begin(), out_.faults.end(), same), out_.faults.end());
    if (out_.faults.empty() && diff_id != layer_.diff_id) differs(diff_id);
  }

  std::string replay(int recipe, const FaultSink& fault, BoundedQueue<std::string>& queue) {
    oci::Hasher hasher;
    std::string collected;
    auto take = [&](std::string_view piece) {
      hasher.update(piece);
      count(piece.size());
      collected += piece;
      if (collected.size() >= kPiece) queue.push(std::exchange(collected, {}));
    };
    replay_recipe(recipe, directory_.get(), take, fault);
    if (!collected.empty()) queue.push(std::move(collected));
    queue.close();
    return hasher.finish().str();
  }

  void compare(BoundedQueue<std::string>& queue, const FaultSink& fault) {
    PlainNames names;
    ReplayedTar source(queue);
    TarReader reader(source);
    TreeExpectation expected(directory_.get(), fault);
    while (auto* entry = reader.next()) expected.take(reader, entry);
    out_.files = expected.compare();
  }

  void by_rules() {
    auto tar = write_layer_tar(directory_.get(), [this](std::string_view piece) { count(piece.size()); });
    walk_tree(directory_.get(), [this](const TreeEntry&) { ++out_.files; });
    if (auto found = tar.digest.str(); found != layer_.diff_id) differs(found);
  }

  // What cannot be read is all that can be found.
  void read_all() {
    write_layer_tar(directory_.get(), [this](std::string_view piece) { count(piece.size()); });
    walk_tree(directory_.get(), [this](const TreeEntry&) { ++out_.files; });
  }

  // No sum of a single file is known. The layer got its name when it was complete; what has changed since then by
  // system calls (and not below them) has a later time of change.
  void differs(const std::string& found) {
    note("", "its files make up a layer with the digest " + found);
    struct stat published {};
    if (::stat(layer_.directory.c_str(), &published) < 0) return;
    std::vector<std::string> suspects;
    walk_tree(directory_.get(), [&](const TreeEntry& entry) {
      if (is_later(entry.info.st_ctim, published.st_ctim)) suspects.push_back(entry.path);
    });
    if (suspects.size() > kMostSuspects) return;
    for (const auto& path : suspects) note(path, "was changed after the layer was made");
  }

  const LayerToCheck& layer_;
  const std::function<void(std::uint64_t)>& progress_;
  Fd mount_;  ///< of an image
  Fd directory_;
  std::mutex mutex_;
  CheckedLayer out_;
};

}  // namespace

CheckedLayer check_layer(const LayerToCheck& layer, const std::function<void(std::uint64_t)>& progress) {
  return LayerChecker(layer, progress).run();
}

}  // namespace gantry::image
