#pragma once

#include <string>

#include "gantry/base/async.h"
#include "gantry/base/http_stream.h"

/// Carries bytes between a local socket and the connection of a client, one function each direction.
namespace gantry {

using LocalSocket = asio::local::stream_protocol::socket;

/// Until the socket ends or fails; then the stream's end is told. `from` outlives it.
task<> relay(LocalSocket* from, std::shared_ptr<http::ByteStream> to);
/// Until the stream ends; then the socket's end is told. `first`: what was read of the stream already.
task<> relay(std::shared_ptr<http::ByteStream> from, LocalSocket* to, std::string first = {});

}  // namespace gantry
