#include "websocket.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>

#include "gantry/base/base64.h"
#include "gantry/base/error.h"

namespace gantry::api::docker {
namespace {

constexpr std::size_t kControlLimit = 125;

enum class Opcode : unsigned char { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

std::string frame(Opcode opcode, std::string_view data) {
  std::string out;
  out += static_cast<char>(0x80 | static_cast<unsigned char>(opcode));
  if (data.size() < 126) {
    out += static_cast<char>(data.size());
  } else if (data.size() < 65536) {
    out += static_cast<char>(126);
    for (int shift : {8, 0}) out += static_cast<char>(data.size() >> shift & 0xff);
  } else {
    out += static_cast<char>(127);
    for (int shift = 56; shift >= 0; shift -= 8) out += static_cast<char>(data.size() >> shift & 0xff);
  }
  out += data;
  return out;
}

class WebSocketStream : public http::ByteStream {
 public:
  explicit WebSocketStream(std::shared_ptr<http::ByteStream> connection) : connection_(std::move(connection)) {}

  task<std::size_t> read_some(std::span<char> buffer) override {
    while (!ended_) {
      if (left_ > 0) {
        auto count = co_await connection_->read_some(buffer.first(std::min<std::uint64_t>(buffer.size(), left_)));
        if (count == 0) break;
        for (std::size_t i = 0; i < count; ++i) buffer[i] = static_cast<char>(buffer[i] ^ mask_[masked_++ % 4]);
        left_ -= count;
        co_return count;
      }
      co_await read_head();
    }
    co_return 0;
  }

  task<> write(std::string data) override {
    auto bytes = frame(Opcode::binary, data);
    co_await connection_->write(std::move(bytes));
  }

  void shutdown_write() override { connection_->shutdown_write(); }
  void close() override { connection_->close(); }

 private:
  /// False at the end of the connection.
  task<bool> read_exactly(std::span<char> out) {
    for (std::size_t at = 0; at < out.size();) {
      auto count = co_await connection_->read_some(out.subspan(at));
      if (count == 0) {
        ended_ = true;
        co_return false;
      }
      at += count;
    }
    co_return true;
  }

  /// The next frame's head; a control frame is dealt with.
  task<> read_head() {
    std::array<char, 14> head{};
    bool there = co_await read_exactly(std::span(head).first(2));
    if (!there) co_return;
    auto byte = [&](std::size_t i) { return static_cast<unsigned char>(head[i]); };
    auto opcode = static_cast<Opcode>(byte(0) & 0x0f);
    bool control = opcode >= Opcode::close;
    std::uint64_t length = byte(1) & 0x7f;
    if ((byte(0) & 0x70) != 0 || (byte(1) & 0x80) == 0 || (opcode > Opcode::binary && opcode < Opcode::close) ||
        opcode > Opcode::pong || (control && length > kControlLimit)) {
      connection_->close();
      throw Error(ErrorKind::invalid, "the client broke the WebSocket protocol");
    }
    std::size_t more = length == 126 ? 2 : length == 127 ? 8 : 0;
    there = co_await read_exactly(std::span(head).subspan(2, more + 4));
    if (!there) co_return;
    if (more > 0) {
      length = 0;
      for (std::size_t i = 0; i < more; ++i) length = length << 8 | byte(2 + i);
    }
    std::copy_n(head.begin() + static_cast<std::ptrdiff_t>(2 + more), 4, mask_.begin());
    masked_ = 0;
    left_ = length;
    if (!control) co_return;
    std::string data(left_, '\0');
    there = co_await read_exactly(data);
    if (!there) co_return;
    for (auto& c : data) c = static_cast<char>(c ^ mask_[masked_++ % 4]);
    left_ = 0;
    if (opcode == Opcode::ping) {
      auto answer = frame(Opcode::pong, data);
      co_await connection_->write(std::move(answer));
    } else if (opcode == Opcode::close) {
      ended_ = true;
      auto answer = frame(Opcode::close, data.substr(0, 2));
      co_await connection_->write(std::move(answer));
      // RFC 6455, 7.1.1: the server ends the connection, and with it whatever still writes to it.
      connection_->close();
    }
  }

  std::shared_ptr<http::ByteStream> connection_;
  std::array<char, 4> mask_{};
  std::size_t masked_ = 0;
  std::uint64_t left_ = 0;  ///< of the frame that is being read
  bool ended_ = false;
};

}  // namespace

std::string websocket_accept(const std::string& key) {
  auto text = key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";  // RFC 6455, 1.3
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha1(), nullptr) != 1)
    throw Error(ErrorKind::internal, "SHA-1 is not available");
  return encode_base64(std::string_view(reinterpret_cast<const char*>(digest.data()), size));
}

std::shared_ptr<http::ByteStream> websocket_stream(std::shared_ptr<http::ByteStream> connection) {
  return std::make_shared<WebSocketStream>(std::move(connection));
}

}  // namespace gantry::api::docker
