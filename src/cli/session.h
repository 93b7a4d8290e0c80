#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "context.h"
#include "gantry/base/http_stream.h"
#include "gantry/engine/types.h"

namespace gantry::cli {

/// Looks for the detach keys in what is typed. A part of them is held back until the next byte decides.
class DetachScanner {
 public:
  explicit DetachScanner(std::string keys) : keys_(std::move(keys)) {}
  /// The bytes to pass on; after `detached` nothing more.
  std::string feed(std::string_view typed);
  bool detached() const { return detached_; }

 private:
  std::string keys_;
  std::size_t matched_ = 0;
  bool detached_ = false;
};

struct SessionOptions {
  bool tty = false;    ///< raw bytes both ways; else output is framed
  bool input = false;  ///< connect our standard input
  std::string detach_keys = "ctrl-p,ctrl-q";
  std::function<task<>(engine::TerminalSize)> resize;  ///< tell the daemon our size; tty only
};

enum class SessionEnd { closed, detached };

/// An upgraded connection to a program's standard streams.
struct Session {
  std::unique_ptr<http::ByteStream> stream;
  bool framed = false;
  http::FrameParser frames;
  std::vector<std::string> notes;  ///< what the daemon said about the program, see docs/api.md
};
task<Session> open_session(const http::Client& client, std::string path);
/// The same for a program that is started with it and whose end it tells: `spec` says which. The first note is there.
task<Session> open_program(const http::Client& client, std::string path, std::string spec, bool trace = false);
/// The id in the first note.
std::string id_of(const Session& session);
/// From the last note: the exit status, or the Error with which the start failed. Error (unavailable) when it is not
/// there because the connection broke off.
int exit_code_of(const Session& session);

/// Copies between our standard streams and the session until the program has closed its output or the user detaches.
/// With a tty our terminal is raw meanwhile and its changes of size are passed on.
task<SessionEnd> run_session(Context& context, Session& session, SessionOptions options);

/// Throws Error (invalid), as docker does, when a terminal is asked for and our standard input is none.
void require_terminal(bool tty, bool input);

}  // namespace gantry::cli
