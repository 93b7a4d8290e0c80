#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "address.h"

struct nft_ctx;

/// The rules of one instance: table `inet gantry_<instance>`. Rules never change after they are made; networks and
/// published ports are elements of sets and maps. docs/network.md explains every chain.
namespace gantry::network {

struct FirewallNetwork {
  std::string bridge;
  bool internal = false;
  Subnet v4;
  std::optional<Subnet> v6;
  bool between_containers = true;  ///< they reach each other
  bool masquerade = true;          ///< they go out under the host's address
};

/// One entry of a destination map. Without `host` it matches every local address of the target's family.
struct PortForward {
  bool udp = false;
  std::optional<Address> host;
  std::uint16_t host_port = 0;
  Address target;
  std::uint16_t target_port = 0;
};

struct FirewallState {
  std::string instance;
  bool guard = false;  ///< forwarding was switched on by us: what is not ours is not forwarded
  std::vector<FirewallNetwork> networks;
  std::vector<PortForward> forwards;
};

/// Commands for libnftables. A command text is one atomic transaction.
namespace rules {
std::string table(const std::string& instance);
/// The whole table, replacing what is there.
std::string replace(const FirewallState& state);
std::string add_network(const std::string& instance, const FirewallNetwork& network);
std::string remove_network(const std::string& instance, const FirewallNetwork& network);
std::string add_forwards(const std::string& instance, const std::vector<PortForward>& forwards);
std::string remove_forwards(const std::string& instance, const std::vector<PortForward>& forwards);
/// Removes the table, there or not.
std::string remove_table(const std::string& instance);
}  // namespace rules

/// libnftables in this process. Thread-safe (one command at a time); blocking. It works in the network namespace of the
/// thread that makes it, which is done early: the library waits with select(), so its socket must be among the first
/// 1024 descriptors of the process.
class Nftables {
 public:
  Nftables();
  ~Nftables();
  /// Runs one transaction; returns what a `list` command prints. Error internal with the kernel's words.
  std::string run(const std::string& commands);

 private:
  std::mutex mutex_;
  std::unique_ptr<nft_ctx, void (*)(nft_ctx*)> context_;
};

}  // namespace gantry::network
