#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "gantry/base/async.h"
#include "gantry/base/fd.h"
#include "gantry/runtime/shim_protocol.h"

/// One connection to a shim. Packets are whole messages.
namespace gantry::runtime {

struct Packet {
  shim::Message type{};
  std::string payload;
};

/// Bound and listening, for the shim to inherit: the daemon can connect before the shim runs. Blocking, short.
Fd listen_in(const std::filesystem::path& directory);

class Packets {
 public:
  /// Connects and introduces itself. Nothing there any more is an Error (not_found).
  Packets(asio::any_io_executor executor, const std::filesystem::path& directory, shim::Role role);
  /// nullopt: the shim has gone. One reader at a time.
  task<std::optional<Packet>> receive();
  /// Waits while the shim takes no more. Error (unavailable) when it has gone. One writer at a time.
  task<> send(shim::Message type, std::string payload = {});
  /// The same without waiting: false when there is no room now.
  bool try_send(shim::Message type, const std::string& payload);
  /// Ends a waiting receive or send.
  void close();

 private:
  std::optional<ssize_t> try_receive(shim::Header& header, std::string& buffer);
  asio::posix::stream_descriptor socket_;
};

shim::Status to_status(const Packet& packet);
std::string to_payload(const shim::Window& window);

}  // namespace gantry::runtime
