#pragma once

#include "gantry/build/builder.h"
#include "gantry/registry/registry.h"

namespace gantry::api::docker {

/// What one build takes from the network, signed in as the client says.
class BuildRemote : public build::Remote {
 public:
  /// By server, as in a docker configuration: "https://index.docker.io/v1/", "registry.example:5000".
  using Logins = std::map<std::string, registry::Credentials>;
  BuildRemote(registry::Registry& registry, Logins logins) : registry_(registry), logins_(std::move(logins)) {}
  task<> pull(std::string reference, std::string platform, std::function<void(std::string)> tell) override;
  task<> fetch(std::string url, std::filesystem::path into) override;

 private:
  registry::Registry& registry_;
  Logins logins_;
};

/// The content of an `X-Registry-Config` header: base64 of {server: {"username","password",...}}; empty is nobody.
/// Error invalid, without quoting any of it.
BuildRemote::Logins parse_logins(std::string_view header);
/// Who to be at the registry of a reference.
std::optional<registry::Credentials> login_for(const BuildRemote::Logins& logins, const std::string& domain);

}  // namespace gantry::api::docker
