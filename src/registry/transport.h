#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gantry/base/error.h"
#include "gantry/base/http_message.h"
#include "gantry/registry/registry.h"
#include "stop_flag.h"
#include "url.h"

/// One HTTP exchange at a time, blocking, over libcurl. No redirect is followed and nothing tried again here.
namespace gantry::registry {

struct HttpRequest {
  std::string method = "GET";
  Url url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;  ///< sent when there is one, or for POST and PUT also when empty
  /// Instead of `body`: fills the buffer, returns how much; 0 ends it. May throw.
  std::function<std::size_t(char*, std::size_t)> upload;
  std::optional<std::uint64_t> upload_size;  ///< unset: chunked
  /// Gets the content of an answer of status 200 or 206 as it comes, after `accept` has seen the head. May block, and
  /// throw to end the exchange. Unset: the content is collected.
  std::function<void(std::string_view)> sink;
  std::function<void(int status, const http::Headers&)> accept;
  std::optional<std::chrono::milliseconds> connect_timeout;  ///< TLS included; unset: as in the options
  bool plain_allowed = false;                                ///< http to other machines, too
  std::size_t limit = 1u << 20;                              ///< of collected content; more is an Error (invalid)
};

struct HttpAnswer {
  int status = 0;
  http::Headers headers;
  std::string body;
};

/// The connection failed: `temporary` when trying again may help.
class TransportError : public Error {
 public:
  enum class Cause {
    lost,         ///< it was there
    unreachable,  ///< nobody answers, or there is no such name
    not_tls,      ///< the other side does not speak TLS
    wrong,        ///< trying again is of no use
  };
  TransportError(Error error, Cause cause) : Error(std::move(error)), cause_(cause) {}
  Cause cause() const { return cause_; }
  bool temporary() const { return cause_ != Cause::wrong; }

 private:
  Cause cause_;
};

class Transport {
 public:
  Transport(const Options& options, StopFlag& stop) : options_(options), stop_(stop) {}
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  ~Transport();

  /// Thread-safe; connections are kept and used again. Plain http to anything but this machine is an Error (denied).
  /// TransportError when there is no complete answer, any status is an answer.
  HttpAnswer exchange(const HttpRequest& request);
  StopFlag& stop() { return stop_; }

 private:
  struct Transfer;
  void* take();
  void give_back(void* handle);
  void configure(void* handle, Transfer& transfer);

  const Options& options_;
  StopFlag& stop_;
  std::mutex mutex_;
  std::vector<void*> idle_;
};

}  // namespace gantry::registry
