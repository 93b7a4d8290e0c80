#include "http_tls.h"

#include <openssl/x509.h>

#include "gantry/base/log.h"
#include "gantry/base/tls.h"

namespace gantry::http {
namespace {

using boost::system::error_code;
using Stream = asio::ssl::stream<asio::ip::tcp::socket>;
using namespace asio::experimental::awaitable_operators;

constexpr std::size_t kPiece = 32u << 10;
constexpr std::chrono::seconds kFarewell{2};

std::string common_name(Stream& stream) {
  std::unique_ptr<X509, decltype(&X509_free)> certificate(SSL_get1_peer_certificate(stream.native_handle()), X509_free);
  if (!certificate) return {};
  std::array<char, 256> name{};
  int length = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate.get()), NID_commonName, name.data(),
                                         static_cast<int>(name.size()));
  std::string out(name.data(), length > 0 ? static_cast<std::size_t>(length) : 0);
  // It goes into logs.
  std::erase_if(out, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  return out;
}

task<> inwards(Stream* stream, Socket* plain) {
  std::array<char, kPiece> buffer{};
  error_code failed;
  while (true) {
    auto space = asio::buffer(buffer);
    auto count = co_await stream->async_read_some(space, asio::redirect_error(asio::use_awaitable, failed));
    if (failed) break;
    auto data = asio::buffer(buffer.data(), count);
    co_await asio::async_write(*plain, data, asio::redirect_error(asio::use_awaitable, failed));
    if (failed) break;
  }
  error_code ignored;
  // Only the client's own good-bye is the end of its direction; a connection that broke has ended both.
  bool clean = failed == asio::error::eof;
  plain->shutdown(clean ? Socket::shutdown_send : Socket::shutdown_both, ignored);
}

task<> outwards(Stream* stream, Socket* plain) {
  std::array<char, kPiece> buffer{};
  error_code failed;
  while (true) {
    auto space = asio::buffer(buffer);
    auto count = co_await plain->async_read_some(space, asio::redirect_error(asio::use_awaitable, failed));
    if (failed) break;
    auto data = asio::buffer(buffer.data(), count);
    co_await asio::async_write(*stream, data, asio::redirect_error(asio::use_awaitable, failed));
    if (failed) break;
  }
  asio::steady_timer limit(plain->get_executor(), kFarewell);
  auto farewell = stream->async_shutdown(asio::redirect_error(asio::use_awaitable, failed));
  error_code ignored;
  auto timeout = limit.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  co_await (std::move(farewell) || std::move(timeout));
  stream->lowest_layer().close(ignored);
}

}  // namespace

std::shared_ptr<asio::ssl::context> tls_context(const TlsEndpoint& endpoint) {
  auto context = tls::make_context(asio::ssl::context::tls_server);
  tls::use_certificate(*context, "server certificate", endpoint.certificate);
  tls::use_key(*context, "server key", endpoint.key);
  if (endpoint.authority.empty()) return context;
  tls::use_authority(*context, "certificate authority", endpoint.authority);
  context->set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert);
  return context;
}

task<> serve_tls(std::shared_ptr<asio::ssl::context> context, asio::ip::tcp::socket client,
                 std::chrono::seconds handshake_timeout, std::function<task<>(Socket, std::string)> serve) {
  Stream stream(std::move(client), *context);
  error_code failed;
  error_code timer_ended;
  asio::steady_timer limit(stream.get_executor(), handshake_timeout);
  auto handshake = stream.async_handshake(Stream::server, asio::redirect_error(asio::use_awaitable, failed));
  auto timeout = limit.async_wait(asio::redirect_error(asio::use_awaitable, timer_ended));
  auto first = co_await (std::move(handshake) || std::move(timeout));
  if (first.index() == 1 || failed) {
    log::debug("a TLS client was refused: {}", failed ? failed.message() : "no handshake in time");
    co_return;
  }
  Socket plain(stream.get_executor()), served(stream.get_executor());
  asio::local::connect_pair(plain, served);
  auto in = inwards(&stream, &plain);
  auto out = outwards(&stream, &plain);
  auto work = serve(std::move(served), common_name(stream));
  co_await (std::move(work) && std::move(in) && std::move(out));
}

}  // namespace gantry::http
