#include "gantry/base/http_stream.h"

namespace gantry::http {
namespace {
constexpr std::size_t kHead = 8;
}

std::string frame_header(StdStream stream, std::uint32_t length) {
  std::string head(kHead, '\0');
  head[0] = static_cast<char>(stream);
  for (int i = 0; i < 4; ++i) head[4 + i] = static_cast<char>(length >> (24 - 8 * i));
  return head;
}

std::string frame(StdStream stream, std::string_view data) {
  auto out = frame_header(stream, static_cast<std::uint32_t>(data.size()));
  out.append(data);
  return out;
}

std::optional<Chunk> FrameParser::next() {
  if (pending_.size() < kHead) return std::nullopt;
  auto byte = [this](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(pending_[i])); };
  if (byte(0) > 3 || byte(1) != 0 || byte(2) != 0 || byte(3) != 0)
    throw Error(ErrorKind::invalid, "malformed stream frame: unknown stream " + std::to_string(byte(0)));
  std::size_t length = byte(4) << 24 | byte(5) << 16 | byte(6) << 8 | byte(7);
  if (length > max_frame_)
    throw Error(ErrorKind::invalid, "malformed stream frame: " + std::to_string(length) +
                                        " bytes are over the limit of " + std::to_string(max_frame_));
  if (pending_.size() < kHead + length) return std::nullopt;
  Chunk result{static_cast<StdStream>(byte(0)), pending_.substr(kHead, length)};
  pending_.erase(0, kHead + length);
  return result;
}

}  // namespace gantry::http
