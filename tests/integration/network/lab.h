#pragma once

#include <sys/types.h>

#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gantry/base/async.h"
#include "gantry/base/fd.h"
#include "gantry/base/files.h"
#include "gantry/network/network_manager.h"

/// A laboratory of network namespaces. The test's thread moves into a fresh one that plays the host, so that nothing
/// of the real host is touched and tests run side by side.
namespace gantry::network::lab {

/// A network namespace held by a descriptor.
class Space {
 public:
  /// Makes a new one, with a user namespace of its own in front of it when `rootless` (as containers have).
  explicit Space(bool rootless = false);
  const Fd& fd() const { return fd_; }
  /// Runs `body` on a thread of its own inside; what it throws is thrown here.
  void run(const std::function<void()>& body) const;

 private:
  Fd fd_;
};

/// Moves the calling thread into a new namespace with `lo` up and returns to the old one in the destructor.
class PlayHost {
 public:
  PlayHost();
  ~PlayHost();

 private:
  Fd before_;
};

/// An outside machine: a namespace linked to the playing host by a veth pair. The host has 198.51.100.1 and
/// 2001:db8:51::1 on link `up0`, the machine .2 and ::2 with default routes to the host.
struct Outside {
  Outside();
  Space space;
};

/// Answers every TCP client with its address as the server sees it, and UDP datagrams alike; "address port".
class Server {
 public:
  Server(const Space* where, std::uint16_t port, bool udp);
  ~Server();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

/// Asks such a server from within `where` (null: the playing host); the answer's first line, or the error's text.
std::string ask(const Space* where, const std::string& address, std::uint16_t port, bool udp = false);
/// True when the TCP connection or UDP exchange succeeds.
bool reaches(const Space* where, const std::string& address, std::uint16_t port, bool udp = false);
/// An ICMP echo with a timeout.
bool pings(const Space* where, const std::string& address);

/// "ip route add <route>" there.
void add_route(const Space* where, const std::string& route);

/// "ip addr add <address> dev <link>" on the playing host.
void add_address(const std::string& address, const std::string& link);

/// A DNS question over UDP to the server; the addresses, or names for PTR, sorted. nullopt: NXDOMAIN or no answer;
/// `rcode` gets the return code, -1 without an answer.
std::vector<std::string> resolve(const Space* where, const std::string& server, const std::string& name,
                                 const std::string& type = "A", int* rcode = nullptr, bool tcp = false);

/// A database, a pool, an executor and a manager, as the daemon puts them together.
class Daemon {
 public:
  explicit Daemon(std::string instance, std::optional<std::filesystem::path> data = {});
  ~Daemon();
  NetworkManager& manager() { return *manager_; }
  /// Runs a task to its end, the executor going on in the background.
  template <class T>
  T wait(task<T> work);
  void wait(task<> work);
  /// Stops and forgets the manager and starts a new one on the same store, as after kill -9.
  void restart();
  void restart(std::vector<ContainerId> alive);

  Reservation plan(ReservationSpec spec);
  WarmLink wait_for_link(const Space& space);
  store::Database& database() { return *database_; }
  /// Runs `body` on the control thread.
  template <class F>
  void on_control(F body) {
    auto done = std::make_shared<std::packaged_task<void()>>(std::move(body));
    asio::post(context_->get_executor(), [done] { (*done)(); });
    done->get_future().get();
  }
  ContainerId add(const std::string& network, const Space& space, std::vector<std::string> names);
  EndpointInfo endpoint(const ContainerId& container) { return endpoints_.at(container); }

 private:
  void start();
  void stop();
  std::string instance_;
  std::optional<TemporaryDirectory> own_data_;
  std::filesystem::path data_;
  std::unique_ptr<WorkerPool> pool_;
  std::unique_ptr<store::Database> database_;
  std::unique_ptr<asio::io_context> context_;
  std::unique_ptr<asio::executor_work_guard<asio::io_context::executor_type>> work_;
  std::unique_ptr<std::thread> thread_;
  std::unique_ptr<NetworkManager> manager_;
  std::map<ContainerId, EndpointInfo> endpoints_;
};

template <class T>
T Daemon::wait(task<T> work) {
  return asio::co_spawn(context_->get_executor(), std::move(work), asio::use_future).get();
}

/// A random instance name, so that test programs do not meet.
std::string fresh_instance();
std::string nft(const std::string& commands);
std::string read_setting(const std::string& path);
/// The hardware address of a link in the calling thread's namespace.
std::string link_address(const std::string& link);
/// Link names of the playing host, sorted.
std::vector<std::string> link_names();

}  // namespace gantry::network::lab
