#pragma once

#include <sys/types.h>

#include <boost/describe.hpp>

#include <memory>
#include <string>
#include <utility>

#include "gantry/base/fd.h"

namespace gantry::runtime {

/// What a waiting shim holds already: the first process of a container with all that every container has, or nothing
/// (for `crun`, which makes its own, and for execs).
enum class StandbyKind { native, plain };
BOOST_DESCRIBE_ENUM(StandbyKind, native, plain)

/// A shim that was started before it is needed. It ends, and what it holds goes, when this is destroyed without having
/// been given a plan, or when the daemon ends.
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
  /// Neither it nor its first process has been killed meanwhile.
  bool alive() const;
  void set_first(Fd first) { first_ = std::move(first); }
  /// native: the network namespace the container will have.
  const Fd& netns() const { return netns_; }
  void set_netns(Fd netns) { netns_ = std::move(netns); }
  /// native: the name of its control group, and the words of its early plan; a container must agree with the latter.
  std::string group;
  std::string early_words;
  std::string start_time;                       ///< field 22 of /proc/<pid>/stat
  std::pair<std::uint32_t, std::uint32_t> ids;  ///< first on the host, count; 0, 0: the host's own
  /// The process belongs to a container now.
  Fd give_away();

 private:
  StandbyKind kind_;
  pid_t pid_;
  Fd process_;
  Fd socket_;
  Fd netns_;
  Fd first_;  ///< its first process
};

}  // namespace gantry::runtime
