#include "inflate.h"

#include <isa-l/igzip_lib.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>

#include "gantry/base/error.h"

namespace gantry::image {
namespace {

constexpr std::size_t kMagic = 4;  // bytes that tell the compressions apart

[[noreturn]] void refuse(const std::string& why) { throw Error(ErrorKind::invalid, "layer: " + why); }

}  // namespace

class Inflater::Decoder {
 public:
  Decoder(std::function<Room()>& room, std::function<void(std::size_t)>& wrote) : room_(room), wrote_(wrote) {}
  virtual ~Decoder() = default;
  virtual void feed(std::string_view piece) = 0;
  virtual void finish() = 0;

 protected:
  std::function<Room()>& room_;
  std::function<void(std::size_t)>& wrote_;
};

namespace {

class Stored : public Inflater::Decoder {
 public:
  using Decoder::Decoder;
  void feed(std::string_view piece) override {
    while (!piece.empty()) {
      auto room = room_();
      auto size = std::min(room.size, piece.size());
      std::memcpy(room.data, piece.data(), size);
      wrote_(size);
      piece.remove_prefix(size);
    }
  }
  void finish() override {}
};

class Gzip : public Inflater::Decoder {
 public:
  Gzip(std::function<Inflater::Room()>& room, std::function<void(std::size_t)>& wrote) : Decoder(room, wrote) {
    isal_inflate_init(state_.get());
    begin();
  }

  void feed(std::string_view piece) override {
    state_->next_in = reinterpret_cast<std::uint8_t*>(const_cast<char*>(piece.data()));
    state_->avail_in = static_cast<std::uint32_t>(piece.size());
    for (;;) {
      if (state_->block_state == ISAL_BLOCK_FINISH) {
        if (state_->avail_in == 0) return;
        begin();  // another member
      }
      auto room = room_();
      state_->next_out = reinterpret_cast<std::uint8_t*>(room.data);
      state_->avail_out = static_cast<std::uint32_t>(room.size);
      int result = isal_inflate(state_.get());
      if (result < 0) refuse(reason(result));
      wrote_(room.size - state_->avail_out);
      bool more_to_come_out = state_->avail_out == 0 && state_->block_state != ISAL_BLOCK_FINISH;
      if (state_->avail_in == 0 && !more_to_come_out) return;
    }
  }

  void finish() override {
    if (state_->block_state != ISAL_BLOCK_FINISH) refuse("the gzip stream is cut off");
  }

 private:
  void begin() {
    auto* in = state_->next_in;
    auto left = state_->avail_in;
    isal_inflate_reset(state_.get());
    state_->crc_flag = ISAL_GZIP;  // header, trailer, checksum and length are looked at
    state_->next_in = in;
    state_->avail_in = left;
  }

  static std::string reason(int result) {
    if (result == ISAL_INCORRECT_CHECKSUM) return "the checksum of the gzip stream is wrong";
    if (result == ISAL_INVALID_WRAPPER) return "there are bytes behind the gzip stream";
    return "the gzip stream is damaged";
  }

  std::unique_ptr<inflate_state> state_ = std::make_unique<inflate_state>();
};

class Zstd : public Inflater::Decoder {
 public:
  using Decoder::Decoder;

  void feed(std::string_view piece) override {
    ZSTD_inBuffer in{piece.data(), piece.size(), 0};
    // Behind the end of a frame there is nothing to be had but by the next one's first byte.
    for (bool full = false; in.pos < in.size || (full && !complete_);) {
      auto room = room_();
      ZSTD_outBuffer out{room.data, room.size, 0};
      auto result = ZSTD_decompressStream(context_.get(), &out, &in);
      if (ZSTD_isError(result)) refuse(std::string("the zstd stream is damaged: ") + ZSTD_getErrorName(result));
      complete_ = result == 0;
      full = out.pos == out.size;
      wrote_(out.pos);
    }
  }
  void finish() override {
    if (!complete_) refuse("the zstd stream is cut off");
  }

 private:
  struct Free {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };
  std::unique_ptr<ZSTD_DCtx, Free> context_{ZSTD_createDCtx()};
  bool complete_ = false;
};

}  // namespace

Inflater::Inflater(std::function<Room()> room, std::function<void(std::size_t)> wrote)
    : room_(std::move(room)), wrote_(std::move(wrote)) {}
Inflater::~Inflater() = default;

std::string Inflater::compression() const { return compression_; }

void Inflater::choose(bool all) {
  if (head_.size() < kMagic && !all) return;
  if (head_.starts_with("\x1f\x8b")) {
    compression_ = "gzip";
    decoder_ = std::make_unique<Gzip>(room_, wrote_);
  } else if (head_.starts_with("\x28\xb5\x2f\xfd") ||
             (head_.size() >= kMagic && head_.compare(1, 3, "\x2a\x4d\x18", 3) == 0 && (head_[0] & 0xf0) == 0x50)) {
    compression_ = "zstd";  // a frame, or one to be skipped in front of it
    decoder_ = std::make_unique<Zstd>(room_, wrote_);
  } else {
    compression_ = "none";
    decoder_ = std::make_unique<Stored>(room_, wrote_);
  }
  auto head = std::move(head_);
  head_.clear();
  if (!head.empty()) decoder_->feed(head);
}

void Inflater::feed(std::string_view piece) {
  if (piece.empty()) return;
  if (decoder_) return decoder_->feed(piece);
  auto needed = std::min(kMagic - std::min(kMagic, head_.size()), piece.size());
  head_ += piece.substr(0, needed);
  piece.remove_prefix(needed);
  choose(false);
  if (decoder_ && !piece.empty()) decoder_->feed(piece);
}

void Inflater::finish() {
  if (!decoder_) choose(true);
  decoder_->finish();
}

}  // namespace gantry::image
