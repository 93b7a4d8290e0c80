#pragma once

#include <string>
#include <vector>

#include "gantry/base/http_server.h"

/// Who asks, and whether they may.
namespace gantry::api {

struct Principal {
  std::string name;  ///< "root", "uid 1000"; later the signed-in user
  uid_t uid = 0;
  std::vector<gid_t> groups;  ///< primary and supplementary
  pid_t pid = 0;
};

/// What is asked for: an action of the route tables ("container.start") on an object of a project. `object` is empty
/// where there is none (lists, and objects that are yet to be made).
struct Access {
  std::string action;
  std::string project;
  std::string object;
};

class Authenticator {
 public:
  virtual ~Authenticator() = default;
  /// Throws Error (unauthenticated).
  virtual Principal authenticate(const http::Request& request) const = 0;
};

class Authorizer {
 public:
  virtual ~Authorizer() = default;
  /// Throws Error (denied) with what the principal can do about it.
  virtual void authorize(const Principal& principal, const Access& access) const = 0;
};

/// The process at the other end of the unix socket.
class PeerAuthenticator : public Authenticator {
 public:
  Principal authenticate(const http::Request& request) const override;
};

/// Root, the daemon's own user, and members of one group may do everything.
class LocalAuthorizer : public Authorizer {
 public:
  /// A group that does not exist has no members.
  explicit LocalAuthorizer(std::string group = "gantry");
  void authorize(const Principal& principal, const Access& access) const override;
  const std::optional<gid_t>& group_id() const { return group_id_; }

 private:
  std::string group_;
  std::optional<gid_t> group_id_;
};

}  // namespace gantry::api
