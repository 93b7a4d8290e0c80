#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include "gantry/api/access.h"
#include "gantry/base/async.h"

namespace gantry::api::registry_front {

/// Names and passwords from a file as `htpasswd -B` writes it: "name:bcrypt hash" a line; no other kinds of hash. Read
/// again when it has changed.
///
/// A bcrypt costs some fifty milliseconds, so it is done on the pool, by few at a time, and what was right once is
/// remembered (as a keyed hash) until the file changes.
class Htpasswd {
 public:
  /// Throws Error with the line that is wrong. An empty path lets everybody in, as "anonymous".
  Htpasswd(std::filesystem::path file, WorkerPool& pool);

  /// Asks the file about the request's credentials, unless the answer is known. Throws RegistryError
  /// (TOOMANYREQUESTS) while too many others are being asked for.
  task<> look_up(const http::Request& request);
  /// What the last `look_up` found out: the name, "anonymous", or nullopt.
  std::optional<std::string> known(const http::Request& request) const;

 private:
  struct Entries {
    std::map<std::string, std::string> hashes;
    std::filesystem::file_time_type changed;
  };
  static Entries read(const std::filesystem::path& file);
  bool verify(const std::string& name, const std::string& password);
  std::string key_of(const std::string& name, const std::string& password) const;

  const std::filesystem::path file_;
  WorkerPool& pool_;
  const std::string secret_;
  mutable std::mutex mutex_;
  Entries entries_;
  std::set<std::string> right_;
  int asked_ = 0;
};

/// Who may use the registry: those the file knows.
class RegistryAuthenticator : public Authenticator {
 public:
  explicit RegistryAuthenticator(const Htpasswd& users) : users_(users) {}
  Principal authenticate(const http::Request& request) const override;

 private:
  const Htpasswd& users_;
};

/// Whoever is known may do with the registry, and with nothing else, what it is there for.
class RegistryAuthorizer : public Authorizer {
 public:
  void authorize(const Principal& principal, const Access& access) const override;
};

}  // namespace gantry::api::registry_front
