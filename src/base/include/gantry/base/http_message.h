#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gantry/base/error.h"

/// What HTTP messages are made of, without sockets: shared by http_server.h and http_client.h.
namespace gantry::http {

/// Header fields in order; names compare without case.
class Headers {
 public:
  void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
  /// The first field of that name; nullptr when there is none.
  const std::string* find(std::string_view name) const;
  std::string get(std::string_view name, std::string_view otherwise = {}) const;
  const std::vector<std::pair<std::string, std::string>>& fields() const { return fields_; }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

/// Query parameters, decoded, in order; a name may occur more than once.
class Query {
 public:
  Query() = default;
  Query(std::initializer_list<std::pair<std::string, std::string>> pairs) : pairs_(pairs) {}
  void add(std::string name, std::string value) { pairs_.emplace_back(std::move(name), std::move(value)); }
  bool has(std::string_view name) const { return find(name) != nullptr; }
  const std::string* find(std::string_view name) const;
  std::string get(std::string_view name, std::string_view otherwise = {}) const;
  std::vector<std::string> all(std::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& pairs() const { return pairs_; }
  /// "a=1&b=x%20y"; empty when there are none.
  std::string encode() const;

 private:
  std::vector<std::pair<std::string, std::string>> pairs_;
};

/// A request target, decoded. `segments` splits at the slashes that were written as slashes: an image reference with
/// its slashes sent as %2F is one segment. `path` is the segments joined again, for messages.
struct Target {
  std::string path;
  std::vector<std::string> segments;
  Query query;
};

/// Parses an origin-form target ("/v1/images/a%2Fb?all=1"). Throws Error (invalid) for anything else, for bad
/// percent-encoding and for NUL bytes; "." and ".." are ordinary segments and mean nothing here.
Target parse_target(std::string_view raw);

/// Percent-encodes one path segment, slashes included.
std::string encode_segment(std::string_view text);

inline constexpr std::string_view kJson = "application/json";
/// One JSON value a line. A stream that fails after it has begun ends with the error shape as its last line.
inline constexpr std::string_view kNdjson = "application/x-ndjson";
/// Raw bytes, or frames (http_stream.h), after an upgrade: the words of the Docker Engine API.
inline constexpr std::string_view kRawStream = "application/vnd.docker.raw-stream";
/// Frames as above, with notes of the daemon between them.
inline constexpr std::string_view kNotedStream = "application/vnd.gantry.noted-stream";
inline constexpr std::string_view kMultiplexedStream = "application/vnd.docker.multiplexed-stream";

/// The one error shape: {"error":{"kind","message","fix","findings":[{"file","line","column","message"}]}}.
std::string error_body(const Error& error);
/// The Error again, when `text` has the shape of error_body.
std::optional<Error> error_from_body(std::string_view text);
/// The Error an answer means: its body where it has the shape, else one made of the status.
Error error_from_answer(int status, std::string_view body);

}  // namespace gantry::http
