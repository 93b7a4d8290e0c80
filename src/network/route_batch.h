#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "address.h"
#include "gantry/base/fd.h"

namespace gantry::network {

/// A change of one link; what is unset stays.
struct LinkChange {
  int index = 0;
  std::string name;  ///< a new name; the link must be down
  std::string mac;
  int mtu = 0;
  int master = 0;  ///< index of the bridge it becomes a port of
  bool up = false;
};

/// Requests to the kernel's routing tables, in order. What `Netlink` does one by one with a look before each, these do
/// in one go: for the start of a container.
class RouteBatch {
 public:
  struct Veth {
    std::string host_name;
    std::string peer_name;
    int mtu = 1500;
    int peer_netns = -1;
  };
  /// Both ends down. Each has one queue: the kernel's default is one per processor, and memory for each.
  void add_veth(const Veth& veth);
  void change_link(const LinkChange& change);
  /// Lets a bridge port send a frame back where it came from: a container that reaches itself through a published port.
  void set_hairpin(int port);
  /// Keeps a bridge port from sending to other isolated ports.
  void isolate(int port);
  /// An address that is there already is fine. IPv6 addresses are used at once (no duplicate address detection).
  void add_address(int index, const Address& address, int prefix);
  /// In the place of the one that is there.
  void add_default_route(int index, const Address& gateway);
  /// One that is not there is fine.
  void remove_default_route(bool v4);
  /// Whether the link gets a link-local IPv6 address by itself when it comes up. Fine where there is no IPv6.
  void generate_address6(int index, bool wanted);
  /// Makes the kernel work off a change of carrier that it may put off for a second otherwise (rtnl_getlink, Linux 6.9
  /// and later).
  void settle_link(int index);
  /// Links that are gone are fine, here and in remove_group.
  void set_group(const std::string& name, std::uint32_t group);
  /// All links of the group in one go: the kernel waits for its readers once, not once per link.
  void remove_group(std::uint32_t group);

 private:
  friend class RouteSocket;
  struct Entry {
    std::size_t begin = 0;
    int tolerated = 0;  ///< an errno that is no failure
    std::string what;
  };
  void set_port(int port, int attribute, std::uint8_t value, const char* what);
  void begin(int type, int flags, std::string what, int tolerated = 0);
  void end();
  void raw(const void* data, std::size_t size);
  void attribute(int type, const void* data, std::size_t size);
  void text(int type, const std::string& value);
  void number(int type, std::uint32_t value);
  std::size_t open_nest(int type);
  void close_nest(std::size_t nest);

  std::vector<char> bytes_;
  std::vector<Entry> entries_;
};

/// A routing socket in the network namespace of the thread that makes it, wherever it is used from. Blocking.
class RouteSocket {
 public:
  RouteSocket();
  explicit RouteSocket(Fd existing) : fd_(std::move(existing)) {}
  Fd release() { return std::move(fd_); }
  /// Takes no lock of the kernel's that a change of another link would hold.
  std::optional<int> index_of(const std::string& name) const;
  /// All of them, also after one that fails; then throws the first failure. Errors of a link that is not there have
  /// the kind not_found.
  void run(const RouteBatch& batch);

 private:
  void send(std::string_view bytes);
  /// errno of each of the next `count` answers.
  std::vector<int> answers(std::uint32_t first, std::size_t count, std::vector<std::string>& words);

  Fd fd_;
  std::uint32_t sequence_ = 0;
};

}  // namespace gantry::network
