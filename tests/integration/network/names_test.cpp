#include <thread>
#include <gtest/gtest.h>

#include "lab.h"

namespace gantry::network {
namespace {

using namespace lab;
using Names = std::vector<std::string>;

Names sorted(Names list) {
  std::sort(list.begin(), list.end());
  return list;
}

TEST(NetworkNames, FollowReplicasAsTheyComeAndGo) {
  PlayHost host;
  Daemon daemon(fresh_instance());
  Space client(true), first(true), second(true);
  auto own = daemon.endpoint(daemon.add("default", client, {"client"}));
  EXPECT_EQ(resolve(&client, own.gateway, "web"), Names{});
  auto one_id = daemon.add("default", first, {"web-1", "web"});
  auto one = daemon.endpoint(one_id);
  EXPECT_EQ(resolve(&client, own.gateway, "web"), Names{one.ipv4});
  auto two = daemon.endpoint(daemon.add("default", second, {"web-2", "web"}));
  EXPECT_EQ(resolve(&client, own.gateway, "WEB"), sorted({one.ipv4, two.ipv4}));
  EXPECT_EQ(resolve(&client, own.gateway6, "web", "AAAA"), sorted({one.ipv6, two.ipv6}));
  EXPECT_EQ(resolve(&client, own.gateway, "web", "A", nullptr, true), sorted({one.ipv4, two.ipv4}));
  EXPECT_EQ(resolve(&client, own.gateway, "web-2.default"), Names{two.ipv4});
  daemon.wait(daemon.manager().unplug(one_id));
  EXPECT_EQ(resolve(&client, own.gateway, "web"), Names{two.ipv4});
}

TEST(NetworkNames, ReverseAndUnknown) {
  PlayHost host;
  Daemon daemon(fresh_instance());
  Space client(true);
  auto own = daemon.endpoint(daemon.add("default", client, {"client"}));
  auto address = asio::ip::make_address_v4(own.ipv4).to_bytes();
  auto reverse = fmt::format("{}.{}.{}.{}.in-addr.arpa", address[3], address[2], address[1], address[0]);
  EXPECT_EQ(resolve(&client, own.gateway, reverse, "PTR"), Names{"client.default."});
  int rcode = 0;
  EXPECT_EQ(resolve(&client, own.gateway, "nobody", "A", &rcode), Names{});
  EXPECT_EQ(rcode, 3);
  EXPECT_EQ(resolve(&client, own.gateway, "client", "MX", &rcode), Names{});
  EXPECT_EQ(rcode, 0) << "the name exists, without such a record";
}

// Plays the resolver that this machine's /etc/resolv.conf names, inside the playing host, and answers one question.
TEST(NetworkNames, OtherNamesAreAskedAtTheHostsResolver) {
  auto file = read_file("/etc/resolv.conf");
  auto at = file.find("nameserver ");
  ASSERT_NE(at, std::string::npos) << "this machine has no resolver to play";
  auto server = file.substr(at + 11, file.find_first_of(" \n", at + 11) - at - 11);
  PlayHost host;
  if (!asio::ip::make_address(server).is_loopback()) add_address(server, "lo");
  asio::io_context context;
  asio::ip::udp::socket socket(context, asio::ip::udp::endpoint(asio::ip::make_address(server), 53));
  // Ends by itself when nobody asks, so that a failure before the question is told and not waited for.
  timeval patience{.tv_sec = 20, .tv_usec = 0};
  ASSERT_EQ(::setsockopt(socket.native_handle(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
  std::jthread resolver([&] {
    std::array<unsigned char, 512> packet{};
    sockaddr_storage client{};
    socklen_t length = sizeof client;
    auto* address = reinterpret_cast<sockaddr*>(&client);
    auto size = ::recvfrom(socket.native_handle(), packet.data(), packet.size(), 0, address, &length);
    if (size < 12) return;
    packet[2] |= 0x80;
    ::sendto(socket.native_handle(), packet.data(), static_cast<std::size_t>(size), 0, address, length);
  });
  Daemon daemon(fresh_instance());
  Space client(true);
  auto own = daemon.endpoint(daemon.add("default", client, {"client"}));
  int rcode = -1;
  resolve(&client, own.gateway, "www.example.org", "A", &rcode);
  resolver.join();
  EXPECT_EQ(rcode, 0) << "the resolver's own answer came back";
}

TEST(NetworkNames, OnlyClientsOfTheNetworkAreAnswered) {
  PlayHost host;
  Outside outside;
  Daemon daemon(fresh_instance());
  Space client(true);
  auto own = daemon.endpoint(daemon.add("default", client, {"client"}));
  int rcode = 0;
  resolve(&outside.space, own.gateway, "client", "A", &rcode);
  EXPECT_EQ(rcode, -1);
}

TEST(NetworkNames, BothNetworksOfAContainerAnswer) {
  PlayHost host;
  Daemon daemon(fresh_instance());
  daemon.wait(daemon.manager().create({.name = "front"}));
  daemon.wait(daemon.manager().create({.name = "back", .internal = true}));
  Space proxy(true), db(true);
  auto database = daemon.endpoint(daemon.add("back", db, {"db"}));
  auto id = make_id<ContainerId>();
  EndpointSpec spec{.container = id, .network = "front", .names = {"proxy"}};
  auto front = daemon.wait(daemon.manager().reserve(spec));
  spec.network = "back";
  auto back = daemon.wait(daemon.manager().reserve(spec));
  daemon.wait(daemon.manager().plug(id, proxy.fd()));
  EXPECT_EQ(resolve(&proxy, front.gateway, "db"), Names{database.ipv4});
  EXPECT_EQ(resolve(&db, database.gateway, "proxy"), Names{back.ipv4});
  EXPECT_TRUE(daemon.manager().resolv_conf(id).starts_with("nameserver " + front.gateway + "\n"));
}

}  // namespace
}  // namespace gantry::network
