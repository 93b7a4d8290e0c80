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
};

/// Error unavailable: nobody listens there, or the name is not known; timeout.
task<std::unique_ptr<LogConnection>> connect_log(LogAddress address);

}  // namespace gantry::engine
