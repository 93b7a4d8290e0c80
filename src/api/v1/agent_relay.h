#pragma once

#include <deque>
#include <filesystem>
#include <memory>
#include <string>

#include "gantry/base/async.h"
#include "gantry/base/http_stream.h"

namespace gantry::api::v1 {

/// A unix socket whose every connection is carried to a client that waits with a connection of its own
/// (docs/decisions/0012): what an SSH agent of the client is to the steps of a build. Control thread. `close` must have
/// returned before the end.
class AgentRelay {
 public:
  /// Listens at `socket`, which everybody may connect to who can see it.
  AgentRelay(asio::any_io_executor executor, std::filesystem::path socket);
  ~AgentRelay();
  const std::filesystem::path& socket() const { return socket_; }
  /// The client's connection, for the next that comes. Returns when it has been used or is no longer needed.
  task<> offer(std::shared_ptr<http::ByteStream> client);
  task<> close();

 private:
  using Connection = std::shared_ptr<asio::local::stream_protocol::socket>;
  struct Waiting {
    std::shared_ptr<http::ByteStream> client;
    std::shared_ptr<Event> ended;
  };
  task<> listen();
  task<> carry(Connection connection);
  task<Waiting> next();

  std::filesystem::path socket_;
  asio::local::stream_protocol::acceptor acceptor_;
  std::deque<Waiting> waiting_;
  std::shared_ptr<Event> offered_;
  bool closed_ = false;
  Scope scope_;
};

}  // namespace gantry::api::v1
