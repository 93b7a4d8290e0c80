#include "compress.h"

#include <isa-l/igzip_lib.h>

#include <vector>

#include "gantry/base/error.h"

namespace gantry::registry {
namespace {

constexpr std::size_t kPiece = 256u << 10;

}  // namespace

struct Gzip::State {
  isal_zstream stream{};
  std::vector<std::uint8_t> level{std::vector<std::uint8_t>(ISAL_DEF_LVL3_EXTRA_LARGE)};
  std::vector<std::uint8_t> out{std::vector<std::uint8_t>(kPiece)};
};

Gzip::Gzip(std::function<void(std::string_view)> sink) : sink_(std::move(sink)), state_(std::make_unique<State>()) {
  auto& stream = state_->stream;
  isal_deflate_init(&stream);
  stream.level = 3;
  stream.level_buf = state_->level.data();
  stream.level_buf_size = static_cast<std::uint32_t>(state_->level.size());
  stream.gzip_flag = IGZIP_GZIP;
}

Gzip::~Gzip() = default;

void Gzip::run(bool last) {
  auto& stream = state_->stream;
  stream.end_of_stream = last ? 1 : 0;
  do {
    stream.next_out = state_->out.data();
    stream.avail_out = static_cast<std::uint32_t>(state_->out.size());
    if (isal_deflate(&stream) != COMP_OK) throw Error(ErrorKind::internal, "a layer cannot be compressed");
    auto made = state_->out.size() - stream.avail_out;
    if (made > 0) sink_({reinterpret_cast<const char*>(state_->out.data()), made});
  } while (stream.avail_out == 0 || stream.avail_in > 0);
}

void Gzip::feed(std::string_view piece) {
  state_->stream.next_in = reinterpret_cast<std::uint8_t*>(const_cast<char*>(piece.data()));
  state_->stream.avail_in = static_cast<std::uint32_t>(piece.size());
  run(false);
}

void Gzip::finish() { run(true); }

}  // namespace gantry::registry
