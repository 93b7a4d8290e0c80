#pragma once

#include <sys/types.h>

#include <boost/describe.hpp>

#include <memory>

#include "gantry/base/fd.h"

namespace gantry::runtime {

/// What a waiting shim holds already: the namespaces of a container with a user namespace of its own, those of one with
/// the host's, or none (for `crun`, which makes its own, and for execs).
enum class StandbyKind { mapped, host, plain };
BOOST_DESCRIBE_ENUM(StandbyKind, mapped, host, plain)

/// A shim that was started before it is needed. It ends when this is destroyed without having been given a plan, or
/// when the daemon ends.
class Standby {
 public:
  Standby(StandbyKind kind, pid_t pid, Fd process, Fd socket)
      : kind_(kind), pid_(pid), process_(std::move(process)), socket_(std::move(socket)) {}
  Standby(const Standby&) = delete;
  Standby& operator=(const Standby&) = delete;
  ~Standby();

  StandbyKind kind() const { return kind_; }
  pid_t pid() const { return pid_; }
  const Fd& process() const { return process_; }
  const Fd& socket() const { return socket_; }
  /// The network namespace the container will have; none for `plain`.
  const Fd& netns() const { return netns_; }
  void set_netns(Fd netns) { netns_ = std::move(netns); }
  /// The process belongs to a container now.
  Fd give_away();

 private:
  StandbyKind kind_;
  pid_t pid_;
  Fd process_;
  Fd socket_;
  Fd netns_;
};

}  // namespace gantry::runtime
