#pragma once

#include <functional>

#include "gantry/base/http_stream.h"
#include "gantry/base/stream.h"

namespace gantry::api {

/// Connects a program's streams with a client's raw connection until the program has closed its output: what the
/// client sends is input, the client's end of sending is the end of input. `framed` puts each chunk into a frame.
/// `last`, if there is one, gives the last bytes that are sent, once the output is over.
task<> bridge(std::shared_ptr<http::ByteStream> client, std::shared_ptr<StdioSession> program, bool framed,
              std::function<task<std::string>()> last = {});

}  // namespace gantry::api
