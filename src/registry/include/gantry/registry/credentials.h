#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

/// Who to be at a registry. Secrets live here and on the wire, never in a log, an error or an audit line.
namespace gantry::registry {

/// Docker's AuthConfig. All empty: anonymous.
struct Credentials {
  std::string username;
  std::string password;
  std::string identity_token;  ///< an OAuth2 refresh token that stands for the password
  std::string registry_token;  ///< a bearer token that is sent as it is
  bool empty() const { return username.empty() && identity_token.empty() && registry_token.empty(); }
};

/// The content of an `X-Registry-Auth` header: base64url (or base64) of {"username","password","auth",
/// "identitytoken","registrytoken","serveraddress","email"}. "" and "{}" are nobody: nullopt. Error invalid, without
/// quoting any of it.
std::optional<Credentials> parse_auth_header(std::string_view value);
/// The other way round, for the client.
std::string format_auth_header(const Credentials& credentials);

/// By registry: "docker.io", "registry.example:5000".
using Logins = std::map<std::string, Credentials>;
/// The content of an `X-Registry-Config` header: base64url (or base64) of {registry: what `X-Registry-Auth` holds}; ""
/// is nobody. Error invalid, without quoting any of it.
Logins parse_logins(std::string_view value);
/// The content of a docker `config.json`: what its "auths" hold. Who keeps passwords in a helper (credsStore) has
/// nothing there. Error invalid, without quoting any of it.
Logins parse_docker_config(std::string_view text);
std::optional<Credentials> login_at(const Logins& logins, const std::string& registry);

}  // namespace gantry::registry
