#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "gantry/base/async.h"
#include "gantry/base/http_server.h"
#include "gantry/base/transfer.h"

/// Answers made by code that blocks: the other direction of body_pipe.h.
namespace gantry::api {

/// Takes bytes for the client; blocks while the client is slow, throws Error (cancelled) when it has gone.
using ByteSink = std::function<void(std::string_view)>;

/// Runs `produce` on a thread of its own and streams what it writes. A failure before the first byte is thrown while
/// there is still a status to give; a later one breaks the stream off, so that the client notices.
task<> stream_out(http::Exchange& exchange, TransferLimit& transfers, std::string content_type,
                  std::function<void(const ByteSink&)> produce);

}  // namespace gantry::api
