#pragma once

#include <functional>

#include "escape.h"
#include "gantry/base/http_stream.h"
#include "gantry/base/stream.h"

namespace gantry::api::docker {

struct AttachOptions {
  bool in = false;
  bool out = false;
  bool err = false;
  bool tty = false;
  bool framed = true;
  bool close_input = true;  ///< the client's end of input is the program's
  /// Awaited between the last byte of output and its end: what the client asks for next is known then.
  std::function<task<>()> before_end = {};
};

/// Connects a program's streams with a client's connection until the program has closed its output, or the client has
/// typed its detach keys (with a terminal only): then true. A client that takes none of the output is connected until
/// its input ends.
task<bool> connect(std::shared_ptr<http::ByteStream> client, std::shared_ptr<StdioSession> program,
                   AttachOptions options, DetachKeys keys);

}  // namespace gantry::api::docker
