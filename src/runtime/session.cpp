#include "session.h"

namespace gantry::runtime {
namespace {

class ShimSession : public StdioSession {
 public:
  ShimSession(asio::any_io_executor executor, const std::filesystem::path& directory)
      : packets_(std::move(executor), directory, shim::Role::attach) {}

  task<> greeted() {
    auto answer = co_await packets_.receive();
    if (!answer) throw Error(ErrorKind::unavailable, "attach: the container's shim has gone");
  }

  task<std::optional<Chunk>> read() override {
    while (!ended_) {
      auto packet = co_await packets_.receive();
      if (!packet || packet->type == shim::Message::end || packet->type == shim::Message::failed) {
        ended_ = true;
        break;
      }
      if (packet->type != shim::Message::out && packet->type != shim::Message::err) continue;
      Chunk chunk;
      chunk.stream = packet->type == shim::Message::err ? StdStream::err : StdStream::out;
      chunk.data = std::move(packet->payload);
      co_return chunk;
    }
    co_return std::nullopt;
  }

  task<> write(std::string data) override {
    for (std::size_t at = 0; at < data.size(); at += shim::kMaxPayload) {
      std::string part = data.substr(at, shim::kMaxPayload);
      co_await packets_.send(shim::Message::input, std::move(part));
    }
  }

  task<> close_input() override { co_await packets_.send(shim::Message::close_input, std::string()); }

 private:
  Packets packets_;
  bool ended_ = false;
};

}  // namespace

task<std::unique_ptr<StdioSession>> open_session(std::filesystem::path directory) {
  auto executor = co_await asio::this_coro::executor;
  auto session = std::make_unique<ShimSession>(executor, directory);
  co_await session->greeted();
  co_return session;
}

std::unique_ptr<StdioSession> connect_session(asio::any_io_executor executor, const std::filesystem::path& directory) {
  return std::make_unique<ShimSession>(std::move(executor), directory);
}

}  // namespace gantry::runtime
