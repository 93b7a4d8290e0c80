#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace gantry::cli {

/// Who somebody is at a registry.
struct Login {
  std::string username;
  std::string password;
  std::string identity_token;  ///< stands for the password
};

/// The registry an image reference belongs to: "docker.io" for "debian".
std::string registry_of(const std::string& reference);

/// The sign-in data that docker and its kin share: `config.json` (0600) with the credential helpers it names, looked
/// for in $DOCKER_CONFIG or ~/.docker. Secrets go nowhere else.
class CredentialFile {
 public:
  explicit CredentialFile(const std::map<std::string, std::string>& environment);

  /// nullopt: nobody is signed in there. Error when a helper that the file names fails.
  std::optional<Login> find(const std::string& registry) const;
  /// Registries that the file has something for, whoever keeps it.
  std::vector<std::string> registries() const;
  void store(const std::string& registry, const Login& login) const;
  /// False when nobody was signed in.
  bool erase(const std::string& registry) const;
  const std::filesystem::path& path() const { return path_; }
  /// What keeps the password of this registry: the file, or a helper.
  std::string keeper(const std::string& registry) const;

 private:
  std::filesystem::path path_;
};

/// Value of the X-Registry-Auth header.
std::string auth_header(const Login& login);
/// Value of the X-Registry-Config header: several, by registry.
std::string logins_header(const std::map<std::string, Login>& logins);

}  // namespace gantry::cli
