#pragma once

#include <memory>
#include <string>

#include "gantry/base/http_stream.h"

/// The server's side of WebSocket (RFC 6455): binary messages both ways, no extensions.
namespace gantry::api::docker {

/// The value of Sec-WebSocket-Accept for a client's Sec-WebSocket-Key.
std::string websocket_accept(const std::string& key);

/// The data of messages, over a connection whose handshake is done. Pings are answered, a close is answered and is the
/// end. A client that breaks the protocol is an Error (invalid).
std::shared_ptr<http::ByteStream> websocket_stream(std::shared_ptr<http::ByteStream> connection);

}  // namespace gantry::api::docker
