#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "auth.h"
#include "gantry/oci/digest.h"
#include "gantry/oci/reference.h"
#include "transport.h"

namespace gantry::registry {

/// What to do when one attempt failed: wait and try again, or give up by throwing what it failed with.
class Retries {
 public:
  using Tell = std::function<void(const std::string& why, std::chrono::milliseconds wait)>;
  Retries(const Options& options, StopFlag& stop, Tell tell = {})
      : options_(options), stop_(stop), tell_(std::move(tell)) {}
  /// Something came through: the count begins anew.
  void progressed() { failed_ = 0; }
  void after(const Error& failure, std::optional<std::chrono::milliseconds> asked = {});

 private:
  const Options& options_;
  StopFlag& stop_;
  Tell tell_;
  int failed_ = 0;
};

/// One repository of one registry (or of a mirror of it), for one user: requests with sign-in, redirects and retries.
/// Blocking, thread-safe.
class Remote {
 public:
  /// `base` is "https://host[:port]" with a path of a mirror, or only "host[:port]": then the scheme is found out.
  Remote(Transport& transport, const Options& options, std::string base, std::string repository,
         std::optional<Credentials> credentials);

  struct Call {
    std::string method = "GET";
    std::string path;  ///< below /v2/; "<name>/" stands in front of it unless it begins with '/'
    std::string url;   ///< instead of a path: where an answer pointed to
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    std::function<std::size_t(char*, std::size_t)> upload;
    std::optional<std::uint64_t> upload_size;
    std::function<void(std::string_view)> sink;
    std::function<void(int, const http::Headers&)> accept;
    std::size_t limit = 1u << 20;
    std::string what;  ///< for messages; empty: the repository
    bool pushes = false;
    std::string also_pull;  ///< a further repository to read from
  };
  struct Got {
    HttpAnswer answer;
    Url url;  ///< that answered, for relative locations
  };
  /// Any status below 500 except 401, 408 and 429 is an answer; those are thrown when attempts are used up. A call with
  /// a sink or an upload is tried once: what has gone through cannot be taken back. (`Retries` outside.)
  Got call(Call call, Retries::Tell tell = {});
  /// One attempt, with sign-in and redirects. TransportError or any status.
  Got attempt(const Call& call);
  [[noreturn]] void refuse(const HttpAnswer& answer, const std::string& what) const;
  /// Throws what a status of 400 and above means.
  void require_success(const HttpAnswer& answer, const std::string& what) const;

  /// "https://host:port"
  std::string origin() { return scheme() + "://" + authority_; }
  const std::string& registry() const { return registry_; }
  const std::string& repository() const { return repository_; }
  const Options& options() const { return options_; }
  StopFlag& stop() const { return transport_.stop(); }
  bool has_credentials() const { return authorization_.has_credentials(); }
  std::string refresh_token() const { return authorization_.refresh_token(); }
  /// Whether the registry has asked who we are.
  bool was_asked() const { return authorization_.was_asked(); }

 private:
  Url url_of(const Call& call);
  std::string scheme();
  std::vector<std::string> scopes(const Call& call) const;
  HttpAnswer exchange(const Call& call, const Url& url, const std::string& authorization);

  Transport& transport_;
  const Options& options_;
  std::string registry_;  ///< for messages and sign-in: what the user calls it
  std::string authority_;
  std::string prefix_;  ///< path of a mirror
  std::string repository_;
  std::mutex mutex_;
  std::string scheme_;
  std::atomic<bool> reached_ = false;
  Authorization authorization_;
};

/// "registry-1.docker.io" of "docker.io"; any other name is its own host.
std::string host_of_registry(const std::string& domain);

}  // namespace gantry::registry
