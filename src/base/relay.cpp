#include "gantry/base/relay.h"

namespace gantry {
namespace {

constexpr std::size_t kPiece = 16u << 10;

}  // namespace

task<> relay(LocalSocket* from, std::shared_ptr<http::ByteStream> to) {
  std::string buffer(kPiece, '\0');
  boost::system::error_code failed;
  for (;;) {
    auto token = asio::redirect_error(asio::use_awaitable, failed);
    auto count = co_await from->async_read_some(asio::buffer(buffer), token);
    if (failed || count == 0) break;
    co_await to->write(buffer.substr(0, count));
  }
  to->shutdown_write();
}

task<> relay(std::shared_ptr<http::ByteStream> from, LocalSocket* to, std::string first) {
  if (!first.empty()) co_await asio::async_write(*to, asio::buffer(first), asio::use_awaitable);
  std::string buffer(kPiece, '\0');
  while (auto count = co_await from->read_some(buffer)) {
    auto bytes = asio::buffer(buffer.data(), count);
    co_await asio::async_write(*to, bytes, asio::use_awaitable);
  }
  boost::system::error_code ignored;
  to->shutdown(LocalSocket::shutdown_send, ignored);
}

}  // namespace gantry
