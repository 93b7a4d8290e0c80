#pragma once

#include <boost/asio/ssl.hpp>

#include "gantry/base/http_server.h"
#include "http_wire.h"

/// Private to the server: connections over TLS. The server itself speaks over unix sockets only; what arrives here is
/// decrypted into one end of a socket pair, whose other end is served like any connection.
namespace gantry::http {

/// Throws Error with the file that is wrong.
std::shared_ptr<asio::ssl::context> tls_context(const TlsEndpoint& endpoint);

/// The handshake, then `serve(socket, name of the client's certificate)` and both directions until they have ended.
/// A client without a certificate of the endpoint's authority, where it has one, gets nowhere.
task<> serve_tls(std::shared_ptr<asio::ssl::context> context, asio::ip::tcp::socket client,
                 std::chrono::seconds handshake_timeout, std::function<task<>(Socket, std::string)> serve);

}  // namespace gantry::http
