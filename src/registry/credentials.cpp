#include "gantry/registry/credentials.h"

#include <boost/describe.hpp>

#include "gantry/base/base64.h"
#include "gantry/base/error.h"
#include "gantry/base/json.h"
#include "gantry/registry/source.h"

namespace gantry::registry {
namespace {

struct AuthConfig {
  std::string username, password, auth, identitytoken, registrytoken;
};
BOOST_DESCRIBE_STRUCT(AuthConfig, (), (username, password, auth, identitytoken, registrytoken))

[[noreturn]] void refuse() {
  throw Error(ErrorKind::invalid, "registry credentials in the request cannot be read",
              "send base64 of {\"username\":...,\"password\":...} as docker does");
}

Credentials credentials_of(const AuthConfig& config) {
  Credentials out{config.username, config.password, config.identitytoken, config.registrytoken};
  if (config.auth.empty() || !out.username.empty()) return out;
  auto pair = decode_base64(config.auth);
  auto colon = pair ? pair->find(':') : std::string::npos;
  if (colon == std::string::npos) refuse();
  out.username = pair->substr(0, colon);
  out.password = pair->substr(colon + 1);
  return out;
}

}  // namespace

std::optional<Credentials> parse_auth_header(std::string_view value) {
  auto text = decode_base64(value);
  if (!text) refuse();
  if (text->empty()) return std::nullopt;
  Credentials out;
  try {
    out = credentials_of(json::from_text<AuthConfig>(*text, "registry credentials"));
  } catch (const Error&) {
    refuse();  // the parser's own words could quote a secret
  }
  if (out.empty()) return std::nullopt;
  return out;
}

Logins parse_logins(std::string_view value) {
  auto text = decode_base64(value);
  if (!text) refuse();
  Logins out;
  if (text->empty()) return out;
  try {
    for (const auto& [name, config] : json::from_text<std::map<std::string, AuthConfig>>(*text, "registry credentials"))
      out[name] = credentials_of(config);
  } catch (const Error&) {
    refuse();
  }
  std::erase_if(out, [](const auto& entry) { return entry.second.empty(); });
  return out;
}

Logins parse_docker_config(std::string_view text) {
  Logins out;
  try {
    auto value = json::parse(text, "docker config");
    const auto* auths = value.is_object() ? value.get_object().if_contains("auths") : nullptr;
    if (auths == nullptr) return out;
    for (const auto& [address, config] : json::from<std::map<std::string, AuthConfig>>(*auths)) {
      auto credentials = credentials_of(config);
      if (!credentials.empty()) out[host_of_address(address)] = std::move(credentials);
    }
  } catch (const Error&) {
    throw Error(ErrorKind::invalid, "the file of sign-ins cannot be read",
                "it has the form of docker's config.json: {\"auths\": {HOST: {\"auth\": base64 of USER:PASSWORD}}}");
  }
  return out;
}

std::optional<Credentials> login_at(const Logins& logins, const std::string& registry) {
  auto found = logins.find(registry);
  return found == logins.end() ? std::nullopt : std::optional(found->second);
}

std::string format_auth_header(const Credentials& credentials) {
  AuthConfig config{credentials.username, credentials.password, "", credentials.identity_token,
                    credentials.registry_token};
  return encode_base64url(json::to_text(config));
}

}  // namespace gantry::registry
