#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "gantry/base/http_server.h"
#include "gantry/engine/engine.h"

/// Who asks, and whether they may.
namespace gantry::api {

struct Principal {
  std::string name;  ///< "root", "uid 1000"; later the signed-in user
  uid_t uid = 0;
  std::vector<gid_t> groups;  ///< primary and supplementary
  pid_t pid = 0;
  /// The socket was given to it by somebody who may do everything, with all that comes with it.
  bool was_given_the_socket = false;
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

/// The same, and programs of containers that one of the daemon's sockets, or the directory they are in, was mounted
/// into: that is how test libraries, CI runners and dashboards work. Root in a container is not root here, so without
/// this they would be refused although the socket lets them connect; and a container that merely has a larger part of
/// the host mounted stays refused.
class SocketAuthenticator : public PeerAuthenticator {
 public:
  SocketAuthenticator(const engine::Engine& engine, std::filesystem::path run_dir)
      : engine_(engine), run_dir_(std::move(run_dir)) {}
  Principal authenticate(const http::Request& request) const override;

 private:
  bool was_given(const engine::ContainerInfo& info) const;

  const engine::Engine& engine_;
  std::filesystem::path run_dir_;
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
