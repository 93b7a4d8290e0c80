#include "credentials.h"

#include <boost/json.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "gantry/base/base64.h"
#include "gantry/base/error.h"
#include "gantry/base/files.h"
#include "gantry/base/json.h"
#include "gantry/base/process.h"

// docker/cli, cli/config (config.json) and docker/docker-credential-helpers (the protocol: the action as an argument,
// the registry or a JSON object on standard input).
namespace gantry::cli {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kDocker = "docker.io";
constexpr std::string_view kDockerKey = "https://index.docker.io/v1/";
constexpr std::string_view kTokenUser = "<token>";
constexpr std::chrono::seconds kHelperLimit{60};

std::string key_of(const std::string& registry) { return std::string(registry == kDocker ? kDockerKey : registry); }

// Older clients wrote whole URLs.
std::string host_of(std::string_view key) {
  for (std::string_view scheme : {"https://", "http://"})
    if (key.starts_with(scheme)) key.remove_prefix(scheme.size());
  std::string host(key.substr(0, key.find('/')));
  return host == "index.docker.io" || host == "registry-1.docker.io" ? std::string(kDocker) : host;
}

boost::json::object read(const fs::path& path) {
  auto text = read_file_if_exists(path);
  if (!text) return {};
  auto value = json::parse(*text, path.string());
  if (!value.is_object()) throw Error(ErrorKind::invalid, path.string() + " is no JSON object");
  return value.as_object();
}

void write(const fs::path& path, const boost::json::object& config) {
  make_directories(path.parent_path(), 0700);
  write_file_durably(path, json::pretty(config) + "\n", 0600);
}

std::string text_in(const boost::json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : "";
}

const boost::json::object* object_in(const boost::json::object& object, std::string_view key) {
  const auto* value = object.if_contains(key);
  return value != nullptr ? value->if_object() : nullptr;
}

std::string helper_for(const boost::json::object& config, const std::string& registry) {
  if (const auto* helpers = object_in(config, "credHelpers"))
    for (const auto& key : {registry, key_of(registry)})
      if (auto name = text_in(*helpers, key); !name.empty()) return name;
  return text_in(config, "credsStore");
}

Captured run_helper(const std::string& helper, const std::string& action, const std::string& input) {
  auto program = "docker-credential-" + helper;
  bool plain = std::ranges::all_of(helper, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
  if (!plain) throw Error(ErrorKind::invalid, "credential helper '" + helper + "' is not a program's name");
  return run_captured({.argv = {program, action}}, input, kHelperLimit);
}

[[noreturn]] void helper_failed(const std::string& helper, const Captured& result) {
  auto why = result.err.empty() ? result.out : result.err;
  why = why.substr(0, why.find('\n'));
  throw Error(ErrorKind::unavailable, "docker-credential-" + helper + ": " + why.substr(0, 200),
              "check the helper, or take it out of the docker configuration");
}

std::optional<Login> ask_helper(const std::string& helper, const std::string& registry) {
  auto result = run_helper(helper, "get", key_of(registry));
  if (result.status.code != 0) {
    if (result.out.find("credentials not found") != std::string::npos) return std::nullopt;
    helper_failed(helper, result);
  }
  auto answer = json::parse(result.out, "the answer of docker-credential-" + helper);
  if (!answer.is_object()) helper_failed(helper, result);
  auto user = text_in(answer.as_object(), "Username"), secret = text_in(answer.as_object(), "Secret");
  if (user == kTokenUser) return Login{"", "", secret};
  return Login{user, secret, ""};
}

std::optional<Login> login_in(const boost::json::object& entry) {
  Login out{text_in(entry, "username"), text_in(entry, "password"), text_in(entry, "identitytoken")};
  if (auto pair = decode_base64(text_in(entry, "auth")); pair && pair->find(':') != std::string::npos) {
    out.username = pair->substr(0, pair->find(':'));
    out.password = pair->substr(pair->find(':') + 1);
    while (!out.password.empty() && out.password.back() == '\0') out.password.pop_back();
  }
  if (out.username.empty() && out.identity_token.empty()) return std::nullopt;
  return out;
}

}  // namespace

std::string registry_of(const std::string& reference) {
  auto slash = reference.find('/');
  if (slash == std::string::npos) return std::string(kDocker);
  auto first = reference.substr(0, slash);
  bool domain = first == "localhost" || first.find_first_of(".:[") != std::string::npos ||
                std::ranges::any_of(first, [](char c) { return c >= 'A' && c <= 'Z'; });
  return domain ? host_of(first) : std::string(kDocker);
}

CredentialFile::CredentialFile(const std::map<std::string, std::string>& environment) {
  if (auto directory = environment.find("DOCKER_CONFIG"); directory != environment.end() && !directory->second.empty())
    path_ = fs::path(directory->second) / "config.json";
  else if (auto home = environment.find("HOME"); home != environment.end())
    path_ = fs::path(home->second) / ".docker" / "config.json";
}

std::optional<Login> CredentialFile::find(const std::string& registry) const {
  if (path_.empty()) return std::nullopt;
  auto config = read(path_);
  if (auto helper = helper_for(config, registry); !helper.empty()) return ask_helper(helper, registry);
  const auto* all = object_in(config, "auths");
  if (all == nullptr) return std::nullopt;
  if (const auto* exact = object_in(*all, key_of(registry))) return login_in(*exact);
  for (const auto& [key, value] : *all)
    if (host_of(key) == registry && value.is_object()) return login_in(value.as_object());
  return std::nullopt;
}

std::vector<std::string> CredentialFile::registries() const {
  if (path_.empty()) return {};
  std::set<std::string> out;
  auto config = read(path_);
  for (std::string_view part : {"auths", "credHelpers"})
    if (const auto* all = object_in(config, part))
      for (const auto& [key, value] : *all) out.insert(host_of(key));
  return {out.begin(), out.end()};
}

std::string CredentialFile::keeper(const std::string& registry) const {
  auto helper = helper_for(read(path_), registry);
  return helper.empty() ? path_.string() : "docker-credential-" + helper;
}

void CredentialFile::store(const std::string& registry, const Login& login) const {
  if (path_.empty()) throw Error(ErrorKind::invalid, "there is no place for the sign-in", "set HOME or DOCKER_CONFIG");
  auto config = read(path_);
  auto& all = config["auths"];
  if (!all.is_object()) all = boost::json::object();
  boost::json::object entry;
  if (auto helper = helper_for(config, registry); !helper.empty()) {
    boost::json::object input;
    input["ServerURL"] = key_of(registry);
    input["Username"] = login.identity_token.empty() ? login.username : std::string(kTokenUser);
    input["Secret"] = login.identity_token.empty() ? login.password : login.identity_token;
    auto result = run_helper(helper, "store", boost::json::serialize(input));
    if (result.status.code != 0) helper_failed(helper, result);
  } else if (!login.identity_token.empty()) {
    entry["auth"] = encode_base64(login.username + ":");
    entry["identitytoken"] = login.identity_token;
  } else {
    entry["auth"] = encode_base64(login.username + ":" + login.password);
  }
  config["auths"].as_object()[key_of(registry)] = std::move(entry);
  write(path_, config);
}

bool CredentialFile::erase(const std::string& registry) const {
  if (path_.empty()) return false;
  auto config = read(path_);
  bool found = false;
  if (auto helper = helper_for(config, registry); !helper.empty()) {
    found = ask_helper(helper, registry).has_value();
    auto result = run_helper(helper, "erase", key_of(registry));
    if (found && result.status.code != 0) helper_failed(helper, result);
  }
  std::vector<std::string> keys;
  if (const auto* all = object_in(config, "auths"))
    for (const auto& [key, value] : *all)
      if (host_of(key) == registry) keys.emplace_back(key);
  for (const auto& key : keys) config["auths"].as_object().erase(key);
  if (!keys.empty()) write(path_, config);
  return found || !keys.empty();
}

namespace {

boost::json::object auth_object(const Login& login) {
  boost::json::object object;
  object["username"] = login.username;
  object["password"] = login.password;
  object["identitytoken"] = login.identity_token;
  return object;
}

}  // namespace

std::string auth_header(const Login& login) { return encode_base64url(boost::json::serialize(auth_object(login))); }

std::string logins_header(const std::map<std::string, Login>& logins) {
  boost::json::object object;
  for (const auto& [registry, login] : logins) object[registry] = auth_object(login);
  return encode_base64url(boost::json::serialize(object));
}

}  // namespace gantry::cli
