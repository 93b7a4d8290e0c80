#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "gantry/image/image_store.h"

namespace gantry::image {

/// What a registry says about a layer before it comes.
struct ExpectedLayer {
  oci::Digest digest;  ///< of the bytes that come
  std::uint64_t size = 0;
  oci::Digest diff_id;  ///< of the tar in them
  /// Beyond this, a tar may not be more than 1,100 times as large as the bytes it comes in.
  std::uint64_t always_allowed = 4ull << 30;
};

/// A layer on its way in: every piece is hashed, inflated (gzip, zstd or not at all), hashed again and written as
/// files while the next ones come. Nothing of it is visible before `finish`, and nothing is left when it is destroyed
/// before that.
class ImageStore::LayerReceiver {
 public:
  ~LayerReceiver();
  LayerReceiver(const LayerReceiver&) = delete;
  LayerReceiver& operator=(const LayerReceiver&) = delete;

  /// The next bytes. Waits when the files cannot be written as fast. Throws what went wrong with earlier ones; Error
  /// invalid when more come than announced.
  void feed(std::string_view piece);
  std::uint64_t received() const;
  /// All bytes have been fed: waits until everything is written, checks both digests, makes the layer durable and
  /// publishes it, held by the lease. Error invalid when it is not what was announced.
  void finish();

 private:
  friend class ImageStore;
  struct State;
  explicit LayerReceiver(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace gantry::image
