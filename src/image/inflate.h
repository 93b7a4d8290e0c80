#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace gantry::image {

/// Takes the compression off a layer as it comes: gzip (any number of members), zstd (any number of frames) or none,
/// told by its first bytes. gzip goes through ISA-L, which is three times as fast as zlib.
class Inflater {
 public:
  /// A buffer to write into, and its use.
  struct Room {
    char* data;
    std::size_t size;
  };
  /// `room` gives the space for what comes next (at least one byte), `wrote` says how much of it was used.
  Inflater(std::function<Room()> room, std::function<void(std::size_t)> wrote);
  ~Inflater();

  /// Error invalid: not what it seems to be, or damaged.
  void feed(std::string_view piece);
  /// Error invalid when it is cut off.
  void finish();
  /// "gzip", "zstd", "none"; empty as long as too little has come.
  std::string compression() const;

  class Decoder;

 private:
  void choose(bool all);

  std::function<Room()> room_;
  std::function<void(std::size_t)> wrote_;
  std::string head_;
  std::string compression_;
  std::unique_ptr<Decoder> decoder_;
};

}  // namespace gantry::image
