#include <gtest/gtest.h>

#include "lab.h"

namespace gantry::network {
namespace {

using namespace lab;

TEST(NetworkIsolation, NetworksDoNotReachEachOther) {
  PlayHost host;
  Daemon daemon(fresh_instance());
  daemon.wait(daemon.manager().create({.name = "left"}));
  daemon.wait(daemon.manager().create({.name = "right"}));
  Space a(true), b(true);
  auto left = daemon.endpoint(daemon.add("left", a, {"a"}));
  auto right = daemon.endpoint(daemon.add("right", b, {"b"}));
  Server in_left(&a, 80, false), in_right(&b, 80, false);
  EXPECT_FALSE(reaches(&a, right.ipv4, 80));
  EXPECT_FALSE(reaches(&a, right.ipv6, 80));
  EXPECT_FALSE(reaches(&b, left.ipv4, 80));
  EXPECT_FALSE(pings(&a, right.ipv4));
  EXPECT_FALSE(pings(&a, right.gateway));
  EXPECT_FALSE(pings(&b, left.gateway6));
  EXPECT_TRUE(resolve(&a, right.gateway, "b").empty());
}

TEST(NetworkIsolation, TheHostIsReachedOnNameServiceOnly) {
  PlayHost host;
  Outside outside;
  Daemon daemon(fresh_instance());
  Space a(true);
  auto own = daemon.endpoint(daemon.add("default", a, {"a"}));
  Server on_host(nullptr, 2222, false);
  EXPECT_FALSE(reaches(&a, own.gateway, 2222));
  EXPECT_FALSE(reaches(&a, own.gateway6, 2222));
  EXPECT_FALSE(reaches(&a, "198.51.100.1", 2222));
  EXPECT_EQ(resolve(&a, own.gateway, "a"), std::vector<std::string>{own.ipv4});
  // The host itself reaches the container: it is the one that started it.
  Server in_container(&a, 80, false);
  EXPECT_EQ(ask(nullptr, own.ipv4, 80), own.gateway);
}

TEST(NetworkIsolation, InternalNetworkHasNoWayOut) {
  PlayHost host;
  Outside outside;
  Daemon daemon(fresh_instance());
  daemon.wait(daemon.manager().create({.name = "vault", .internal = true}));
  Space a(true), b(true);
  auto id = daemon.add("vault", a, {"a"});
  auto peer = daemon.endpoint(daemon.add("vault", b, {"b"}));
  Server in_peer(&b, 80, false), out_there(&outside.space, 80, false);
  EXPECT_TRUE(reaches(&a, peer.ipv4, 80));
  EXPECT_FALSE(reaches(&a, "198.51.100.2", 80));
  EXPECT_FALSE(reaches(&a, "2001:db8:51::2", 80));
  int rcode = 0;
  resolve(&a, daemon.endpoint(id).gateway, "www.example.org", "A", &rcode);
  EXPECT_EQ(rcode, 3);
  std::vector<PublishedPort> ports{{.host_port = 8080, .container_port = 80}};
  EXPECT_THROW(daemon.wait(daemon.manager().publish(id, ports)), Error);
}

TEST(NetworkIsolation, InstancesLiveSideBySide) {
  PlayHost host;
  Outside outside;
  Daemon one(fresh_instance()), two(fresh_instance());
  Space a(true), b(true);
  auto a_id = one.add("default", a, {"a"});
  auto first = one.endpoint(a_id);
  auto second = two.endpoint(two.add("default", b, {"b"}));
  EXPECT_NE(one.manager().inspect("default").subnet, two.manager().inspect("default").subnet);
  EXPECT_NE(one.manager().inspect("default").bridge, two.manager().inspect("default").bridge);
  Server in_a(&a, 80, false), in_b(&b, 80, false), out_there(&outside.space, 80, false);
  EXPECT_FALSE(reaches(&a, second.ipv4, 80));
  EXPECT_FALSE(reaches(&b, first.ipv6, 80));
  EXPECT_FALSE(pings(&a, second.gateway));
  std::vector<PublishedPort> ports{{.host_port = 8080, .container_port = 80}};
  one.wait(one.manager().publish(a_id, ports));
  EXPECT_EQ(ask(&b, "198.51.100.1", 8080), second.ipv4) << "a published port is for everyone";
  one.wait(one.manager().remove_all());
  EXPECT_EQ(ask(&b, "198.51.100.2", 80), "198.51.100.1") << "the other instance goes on";
}

}  // namespace
}  // namespace gantry::network
