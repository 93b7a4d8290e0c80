#include "gantry/image/layer_receiver.h"

#include <pthread.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <thread>

#include "gantry/base/bounded_queue.h"
#include "gantry/base/error.h"
#include "image_store_impl.h"
#include "inflate.h"
#include "unpack.h"

// Four stages, one thread each: who feeds (and hashes what comes), inflating, hashing the tar, unpacking it. Queues of
// a few megabytes are between them, so that a slow one is what the others wait for. A layer of some size becomes a
// file-system image; the files of another one are made by the crew.
namespace gantry::image {
namespace {

constexpr std::size_t kSlab = 512u << 10;
constexpr std::size_t kSlabsWaiting = 8;
constexpr std::size_t kPiecesWaiting = 4;
// More than gzip can do: only bytes that are made to fill disks grow like that.
constexpr std::uint64_t kMostGrowth = 1100;

struct Slab {
  std::unique_ptr<char[]> data{new char[kSlab]};
  std::size_t size = 0;
  std::string_view view() const { return {data.get(), size}; }
};
using SlabPtr = std::shared_ptr<Slab>;

// Slabs are used again: fresh memory of that size costs more than what is done with it.
class SlabPool : public std::enable_shared_from_this<SlabPool> {
 public:
  SlabPtr take() {
    std::unique_ptr<Slab> slab;
    {
      std::lock_guard lock(mutex_);
      if (!free_.empty()) {
        slab = std::move(free_.back());
        free_.pop_back();
      }
    }
    if (!slab) slab = std::make_unique<Slab>();
    slab->size = 0;
    return SlabPtr(slab.release(), [pool = shared_from_this()](Slab* used) { pool->give_back(used); });
  }

 private:
  void give_back(Slab* used) {
    std::unique_ptr<Slab> slab(used);
    std::lock_guard lock(mutex_);
    free_.push_back(std::move(slab));
  }
  std::mutex mutex_;
  std::vector<std::unique_ptr<Slab>> free_;
};

/// The inflated slabs as the tar reader wants them.
class SlabSource : public TarSource {
 public:
  SlabSource(BoundedQueue<SlabPtr>& queue, RecipeWriter& recipe) : queue_(queue), recipe_(recipe) {}
  std::string_view next() override {
    auto slab = queue_.pop();
    current_ = slab ? std::move(*slab) : nullptr;
    if (!current_) return {};
    recipe_.raw(current_->view());
    return current_->view();
  }
  // What stands behind the end is part of the digest, and of what the recipe gives back.
  void expect_only_zeros_after(std::uint64_t) override {
    while (true)
      if (next().empty()) return;
  }
  bool is_verified() const override { return true; }

 private:
  BoundedQueue<SlabPtr>& queue_;
  RecipeWriter& recipe_;
  SlabPtr current_;
};

}  // namespace

struct ImageStore::LayerReceiver::State {
  State(Impl& store_in, ExpectedLayer expected_in, std::shared_ptr<Lease> lease_in)
      : store(store_in), expected(std::move(expected_in)), lease(std::move(lease_in)), layer(store, expected.size) {
    start("layer-inflate", [this] { inflate(); });
    start("layer-hash", [this] { hash(); });
    start("layer-unpack", [this] { unpack(); });
  }
  ~State() {
    abandon(std::make_exception_ptr(Error(ErrorKind::cancelled, "the layer is not wanted any more")));
    join();
  }

  template <class F>
  void start(const char* name, F stage) {
    threads.emplace_back([this, stage] {
      try {
        stage();
      } catch (...) {
        abandon(std::current_exception());
      }
    });
    ::pthread_setname_np(threads.back().native_handle(), name);
  }
  void join() {
    for (auto& thread : threads) thread.join();
    threads.clear();
  }
  void abandon(std::exception_ptr why) {
    {
      std::lock_guard lock(mutex);
      if (!failure) failure = why;
      why = failure;
    }
    pieces.fail(why);
    to_hash.fail(why);
    to_unpack.fail(why);
  }
  void rethrow() {
    std::lock_guard lock(mutex);
    if (failure) std::rethrow_exception(failure);
  }

  void inflate();
  void hash();
  void unpack();
  [[noreturn]] void refuse(const std::string& why) const;

  Impl& store;
  ExpectedLayer expected;
  std::shared_ptr<Lease> lease;
  Impl::NewLayer layer;

  oci::Hasher compressed;
  SlabPtr collected;  ///< small pieces, until they are worth handing on
  std::uint64_t received = 0;
  bool finished = false;

  std::shared_ptr<SlabPool> pool = std::make_shared<SlabPool>();
  BoundedQueue<SlabPtr> pieces{kPiecesWaiting};
  BoundedQueue<SlabPtr> to_hash{kSlabsWaiting};
  BoundedQueue<SlabPtr> to_unpack{kSlabsWaiting};
  std::string diff_id;
  std::uint64_t tar_bytes = 0;

  std::mutex mutex;
  std::exception_ptr failure;  ///< the first
  std::vector<std::thread> threads;
};

void ImageStore::LayerReceiver::State::refuse(const std::string& why) const {
  throw Error(ErrorKind::invalid, "layer " + expected.digest.str() + ": " + why);
}

void ImageStore::LayerReceiver::State::inflate() {
  SlabPtr slab;
  std::uint64_t inflated = 0;
  auto hand_on = [&] {
    if (!slab || slab->size == 0) return;
    inflated += slab->size;
    if (inflated > expected.always_allowed && inflated / kMostGrowth > expected.size)
      refuse("its " + std::to_string(expected.size) + " bytes inflate to more than any archive's");
    to_hash.push(slab);
    to_unpack.push(std::move(slab));
    slab = nullptr;
  };
  auto room = [&]() -> Inflater::Room {
    if (slab && slab->size == kSlab) hand_on();
    if (!slab) slab = pool->take();
    return {slab->data.get() + slab->size, kSlab - slab->size};
  };
  Inflater inflater(room, [&](std::size_t used) { slab->size += used; });
  for (;;) {
    auto piece = pieces.pop();
    if (!piece) break;
    inflater.feed((*piece)->view());
  }
  inflater.finish();
  hand_on();
  to_hash.close();
  to_unpack.close();
}

void ImageStore::LayerReceiver::State::hash() {
  oci::Hasher hasher;
  for (;;) {
    auto slab = to_hash.pop();
    if (!slab) break;
    hasher.update((*slab)->view());
    tar_bytes += (*slab)->size;
  }
  diff_id = hasher.finish().str();
}

void ImageStore::LayerReceiver::State::unpack() {
  SlabSource source(to_unpack, *layer.recipe);
  unpack_tar(source, *layer.sink, {}, &*layer.recipe);
}

ImageStore::LayerReceiver::LayerReceiver(std::unique_ptr<State> state) : state_(std::move(state)) {}
ImageStore::LayerReceiver::~LayerReceiver() = default;

std::uint64_t ImageStore::LayerReceiver::received() const { return state_->received; }

void ImageStore::LayerReceiver::feed(std::string_view piece) {
  auto& state = *state_;
  state.received += piece.size();
  if (state.received > state.expected.size)
    state.refuse("more than the announced " + std::to_string(state.expected.size) + " bytes came");
  state.compressed.update(piece);
  while (!piece.empty()) {
    if (!state.collected) state.collected = state.pool->take();
    auto& slab = *state.collected;
    auto size = std::min(piece.size(), kSlab - slab.size);
    std::memcpy(slab.data.get() + slab.size, piece.data(), size);
    slab.size += size;
    piece.remove_prefix(size);
    if (slab.size == kSlab) state.pieces.push(std::exchange(state.collected, nullptr));
  }
}

void ImageStore::LayerReceiver::finish() {
  auto& state = *state_;
  const auto& expected = state.expected;
  // The digest first: of bytes that are not the right ones, all other complaints mean nothing.
  if (state.received < expected.size)
    state.refuse("it ended after " + std::to_string(state.received) + " of " + std::to_string(expected.size) +
                 " bytes");
  if (auto digest = state.compressed.finish(); digest != expected.digest)
    state.refuse("what came has the digest " + digest.str());
  if (state.collected) state.pieces.push(std::exchange(state.collected, nullptr));
  state.pieces.close();
  state.join();
  try {
    state.rethrow();
  } catch (Error& error) {
    throw error.within("layer " + expected.digest.str());
  }
  if (state.diff_id != expected.diff_id.str())
    state.refuse("the tar in it has the digest " + state.diff_id + ", the image says " + expected.diff_id.str());
  state.layer.publish(state.store, state.diff_id, state.tar_bytes, *state.lease);
}

std::unique_ptr<ImageStore::LayerReceiver> ImageStore::receive_layer(ExpectedLayer expected,
                                                                     std::shared_ptr<Lease> lease) {
  auto what = "layer " + expected.digest.str();
  try {
    auto state = std::make_unique<LayerReceiver::State>(*impl_, std::move(expected), std::move(lease));
    return std::unique_ptr<LayerReceiver>(new LayerReceiver(std::move(state)));
  } catch (Error& error) {
    throw error.within(what);
  }
}

}  // namespace gantry::image
