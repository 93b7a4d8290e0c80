#include "build_remote.h"

#include "body.h"
#include "gantry/base/base64.h"
#include "gantry/oci/reference.h"

namespace gantry::api::docker {
namespace {

// Configurations name servers as URLs, as hosts, and Docker Hub by a name of its own.
std::string host_of(std::string_view server) {
  if (auto scheme = server.find("://"); scheme != std::string_view::npos) server.remove_prefix(scheme + 3);
  auto host = std::string(server.substr(0, server.find('/')));
  return host == "index.docker.io" || host == "registry-1.docker.io" ? "docker.io" : host;
}

}  // namespace

BuildRemote::Logins parse_logins(std::string_view header) {
  BuildRemote::Logins out;
  if (header.empty()) return out;
  auto wrong = [] {
    return Error(ErrorKind::invalid, "X-Registry-Config is not what the Docker Engine API describes");
  };
  auto text = decode_base64(header);
  if (!text) throw wrong();
  boost::json::error_code failed;
  auto value = boost::json::parse(*text, failed);
  if (!failed && value.is_null()) return out;
  if (failed || !value.is_object()) throw wrong();
  for (const auto& [server, login] : value.get_object()) {
    if (!login.is_object()) throw wrong();
    Body body(login.get_object());
    registry::Credentials credentials;
    try {
      credentials.username = body.text("username");
      credentials.password = body.text("password");
      credentials.identity_token = body.text("identitytoken");
      credentials.registry_token = body.text("registrytoken");
    } catch (const Error&) {
      throw wrong();
    }
    if (!credentials.empty()) out[host_of(server)] = std::move(credentials);
  }
  return out;
}

std::optional<registry::Credentials> login_for(const BuildRemote::Logins& logins, const std::string& domain) {
  auto found = logins.find(domain);
  return found == logins.end() ? std::nullopt : std::optional(found->second);
}

task<> BuildRemote::pull(std::string reference, std::string platform, std::function<void(std::string)> tell) {
  registry::PullRequest request;
  request.reference = reference;
  auto parsed = oci::Reference::parse(reference);
  request.credentials = login_for(logins_, parsed.domain);
  if (!platform.empty()) request.platform = registry::Platform::parse(platform);
  tell(parsed.tag + ": Pulling from " + parsed.path + "\n");
  auto got = co_await registry_.pull(std::move(request));
  tell("Digest: " + got.digest + "\n");
  tell((got.changed ? "Status: Downloaded newer image for " : "Status: Image is up to date for ") + got.reference +
       "\n");
}

task<> BuildRemote::fetch(std::string url, std::filesystem::path into) {
  co_await registry_.fetch(std::move(url), std::move(into));
}

}  // namespace gantry::api::docker
