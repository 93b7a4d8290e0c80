#pragma once

#include <memory>
#include <string>

#include "gantry/base/async.h"
#include "logging/log_driver.h"

namespace gantry::engine {

/// A connection to a log receiver. Made anew after each Error.
class LogConnection {
 public:
  virtual ~LogConnection() = default;
  /// A datagram, or more of the stream. Error unavailable.
  virtual task<> send(std::string piece) = 0;
  /// Waits until the receiver has said exactly this. Error unavailable: it said something else, or left; timeout.
  /// Streams only.
  virtual task<> expect(std::string answer) = 0;
};

/// Error unavailable: nobody listens there, the name is not known, or it is not who it should be; timeout. Error
/// invalid: a PEM file cannot be used.
task<std::unique_ptr<LogConnection>> connect_log(LogAddress address, LogTls tls);

}  // namespace gantry::engine
