#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "blob.h"

namespace gantry::registry {

/// A run of consecutive bytes of a blob, fetched over one connection, or several one after the other when one breaks.
class Piece {
 public:
  using Take = std::function<void(std::string_view)>;

  /// `size` bytes from `first`. `take` gets every byte once, in order. The references must outlive it.
  Piece(Remote& remote, const BlobRequest& request, std::uint64_t first, std::uint64_t size, const Take& take,
        const Retries::Tell& tell);

  /// Returns when all is there. Errors as `fetch_blob`.
  void fetch();
  /// For a piece that does not end with the blob: returns false, with nothing taken, when the server does not know
  /// ranges. The next `fetch` takes the whole blob then.
  bool fetch_if_ranged();

 private:
  enum class Outcome { complete, again, whole };
  [[noreturn]] void refuse(const std::string& why) const;
  Outcome attempt(bool ranges_only);
  void begin(int status, const http::Headers& headers);
  void take(std::string_view bytes);

  Remote& remote_;
  const BlobRequest& request_;
  const std::uint64_t first_;
  std::uint64_t size_;
  const Take& take_;
  Retries retries_;
  std::uint64_t received_ = 0;
  std::uint64_t counted_ = 0;
  std::uint64_t skip_ = 0;
};

}  // namespace gantry::registry
