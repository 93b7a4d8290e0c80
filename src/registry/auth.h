#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "challenge.h"
#include "gantry/registry/credentials.h"
#include "transport.h"

namespace gantry::registry {

/// What an Authorization field says for one registry and one user: nothing, Basic, or a bearer token that the
/// registry's token server gives for a scope (distribution specification, "token authentication"). Thread-safe; threads
/// that need the same token at once fetch it once.
class Authorization {
 public:
  Authorization(Transport& transport, std::string registry, std::optional<Credentials> credentials)
      : transport_(transport), registry_(std::move(registry)), credentials_(std::move(credentials)) {}

  /// For `scopes` ("repository:library/debian:pull"); empty when the registry has not asked for anything yet.
  std::string header(const std::vector<std::string>& scopes);
  /// After a 401 that `used` (what `header` gave) got. False when there is nothing else to try.
  bool answer(const HttpAnswer& refused, const std::string& used, const std::vector<std::string>& scopes);
  bool has_credentials() const { return credentials_.has_value(); }
  /// What a token server gave to be kept instead of the password; empty when it gave nothing.
  std::string refresh_token() const;
  bool was_asked() const;

 private:
  struct Token {
    std::string value;
    std::chrono::steady_clock::time_point expires;
  };
  std::string basic() const;
  std::string bearer(const std::vector<std::string>& scopes);
  Token fetch(const std::vector<std::string>& scopes);
  HttpRequest token_request(const std::vector<std::string>& scopes) const;
  void require_safe(const Url& realm) const;

  Transport& transport_;
  std::string registry_;
  std::optional<Credentials> credentials_;
  mutable std::mutex mutex_;
  std::optional<Challenge> challenge_;
  std::map<std::vector<std::string>, Token> tokens_;
  std::string refresh_token_;
};

}  // namespace gantry::registry
