#pragma once

#include "../progress.h"
#include "routes.h"

namespace gantry::api::docker {

/// Tells a message of a pull, load or build: {"stream"}, {"status","progressDetail","id"}, {"aux"}. Any thread, also
/// when the client has gone.
using Tell = std::function<void(boost::json::object message)>;
using MessageWork = std::function<task<>(Tell tell)>;

/// Runs `work` and streams what it tells, one JSON object a line. A failure before the first message is thrown while
/// there is still a status to give; a later one is told as {"errorDetail":{"code","message"},"error"}. When the client
/// goes, `work` is cancelled.
task<> stream_messages(http::Exchange& exchange, MessageWork work);

/// {"stream": text}
boost::json::object stream_message(std::string text);

/// An Error that clients are to see with a number beside its text: a build step's exit code.
class CodedError : public Error {
 public:
  CodedError(ErrorKind kind, std::string message, int code) : Error(kind, std::move(message)), code_(code) {}
  int code() const { return code_; }

 private:
  int code_;
};

}  // namespace gantry::api::docker
