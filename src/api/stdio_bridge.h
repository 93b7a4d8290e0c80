#pragma once

#include <functional>
#include <optional>
#include <string>

#include "gantry/base/http_stream.h"
#include "gantry/base/stream.h"

namespace gantry::api {

struct AttachOptions {
  bool in = false;
  bool out = false;
  bool err = false;
  bool framed = true;       ///< each chunk of output in a frame
  bool close_input = true;  ///< the client's end of sending is the end of the program's input
  /// What of the bytes that were typed goes on to the program; nullopt: the client detaches. Unset: all.
  std::function<std::optional<std::string>(std::string_view)> typed = {};
  /// Awaited between the last byte of output and its end: what the client asks for next is known then.
  std::function<task<>()> before_end = {};
};

/// Connects a program's streams with a client's connection until the program has closed its output, or the client has
/// detached: then true. A client that takes none of the output is connected until its input ends.
task<bool> connect(std::shared_ptr<http::ByteStream> client, std::shared_ptr<StdioSession> program,
                   AttachOptions options);

/// The same with all of the program's streams. `last`, if there is one, gives the last bytes that are sent, once the
/// output is over.
task<> bridge(std::shared_ptr<http::ByteStream> client, std::shared_ptr<StdioSession> program, bool framed,
              std::function<task<std::string>()> last = {});

}  // namespace gantry::api
