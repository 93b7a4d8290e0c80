#include <gtest/gtest.h>
#include <sys/socket.h>

#include "lab.h"

namespace gantry::network {
namespace {

using namespace lab;

std::map<std::string, std::string> settings() {
  std::map<std::string, std::string> out;
  for (const char* path : {"ipv4/ip_forward", "ipv4/conf/all/accept_redirects", "ipv4/conf/default/forwarding",
                           "ipv6/conf/all/forwarding", "ipv6/conf/up0/accept_ra", "ipv6/conf/up0/forwarding"})
    out[path] = read_setting(path);
  return out;
}

TEST(NetworkRecovery, RemoveAllLeavesTheHostAsItWas) {
  PlayHost host;
  Outside outside;
  auto links = link_names();
  auto before = settings();
  auto ruleset = nft("list ruleset");
  ASSERT_EQ(before["ipv4/ip_forward"], "0\n");
  {
    Daemon daemon(fresh_instance());
    Space web(true);
    auto id = daemon.add("default", web, {"web"});
    std::vector<PublishedPort> ports{{.host_port = 8080, .container_port = 80}};
    daemon.wait(daemon.manager().publish(id, ports));
    EXPECT_EQ(settings()["ipv4/ip_forward"], "1\n");
    EXPECT_EQ(settings()["ipv6/conf/up0/accept_ra"], "2\n");
    daemon.wait(daemon.manager().remove_all());
  }
  EXPECT_EQ(link_names(), links);
  EXPECT_EQ(settings(), before);
  EXPECT_EQ(nft("list ruleset"), ruleset);
}

TEST(NetworkRecovery, TheLastInstanceRestoresForwarding) {
  PlayHost host;
  Outside outside;
  auto before = settings();
  {
    Daemon one(fresh_instance());
    Daemon two(fresh_instance());
    one.wait(one.manager().create({.name = "one"}));
    two.wait(two.manager().create({.name = "two"}));
    one.wait(one.manager().remove_all());
    EXPECT_EQ(settings()["ipv4/ip_forward"], "1\n");
  }
  EXPECT_EQ(settings(), before);
}

TEST(NetworkRecovery, ForeignTrafficIsNotForwardedBecauseOfUs) {
  PlayHost host;
  Outside outside;
  nft("add table inet probe\n"
      "add chain inet probe forward { type filter hook forward priority 500; }\n"
      "add rule inet probe forward ip daddr 203.0.113.7 counter drop");
  auto instance = fresh_instance();
  Daemon daemon(instance);
  daemon.wait(daemon.manager().create({.name = "shop"}));
  auto passed = [] { return nft("list chain inet probe forward").find("packets 0") == std::string::npos; };
  add_route(nullptr, "203.0.113.0/24 via 198.51.100.3");
  EXPECT_FALSE(reaches(&outside.space, "203.0.113.7", 80));
  EXPECT_FALSE(passed());
  // The same packet is forwarded once the guard is away: the check above sees what it shall see.
  nft("flush chain inet gantry_" + instance + " guard");
  EXPECT_FALSE(reaches(&outside.space, "203.0.113.7", 80));
  EXPECT_TRUE(passed());
  nft("delete table inet probe");
}

TEST(NetworkRecovery, RunningConnectionsSurviveARestart) {
  PlayHost host;
  Outside outside;
  Daemon daemon(fresh_instance());
  Space web(true);
  auto id = daemon.add("default", web, {"web"});
  std::vector<PublishedPort> ports{{.host_port = 8080, .container_port = 80}};
  daemon.wait(daemon.manager().publish(id, ports));
  Server server(&web, 80, false);
  Fd client, accepted;
  outside.space.run([&] { client = Fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)); });
  asio::ip::tcp::endpoint target(asio::ip::make_address("198.51.100.1"), 8080);
  Fd listener;
  web.run([&] {
    listener = Fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    asio::ip::tcp::endpoint any(asio::ip::address_v4::any(), 81);
    ASSERT_EQ(bind(listener.get(), any.data(), static_cast<socklen_t>(any.size())), 0);
    ASSERT_EQ(listen(listener.get(), 1), 0);
  });
  ports = {{.host_port = 8081, .container_port = 81}};
  daemon.wait(daemon.manager().publish(id, ports));
  target.port(8081);
  ASSERT_EQ(connect(client.get(), target.data(), static_cast<socklen_t>(target.size())), 0);
  accepted = Fd(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  daemon.restart();
  write_all(client.get(), "still here", "connection");
  char buffer[32] = {};
  ASSERT_EQ(recv(accepted.get(), buffer, sizeof buffer, 0), 10);
  EXPECT_EQ(ask(&outside.space, "198.51.100.1", 8080), "198.51.100.2");
  EXPECT_EQ(resolve(&web, daemon.endpoint(id).gateway, "web").size(), 1u);
  EXPECT_THROW(Server(nullptr, 8080, false), Error) << "the port is held again";
  daemon.restart();
  EXPECT_EQ(ask(&outside.space, "198.51.100.1", 8080), "198.51.100.2");
}

TEST(NetworkRecovery, AFlushedRulesetIsMadeAgain) {
  PlayHost host;
  Outside outside;
  Daemon daemon(fresh_instance());
  Space web(true);
  auto id = daemon.add("default", web, {"web"});
  Server server(&web, 80, false);
  nft("flush ruleset");
  std::vector<PublishedPort> ports{{.host_port = 8080, .container_port = 80}};
  daemon.wait(daemon.manager().publish(id, ports));
  EXPECT_EQ(ask(&outside.space, "198.51.100.1", 8080), "198.51.100.2");
  nft("flush ruleset");
  daemon.wait(daemon.manager().unplug(id));
}

TEST(NetworkRecovery, ForwardingGoesWithTheLastNetwork) {
  PlayHost host;
  Daemon daemon(fresh_instance());
  daemon.wait(daemon.manager().create({.name = "shop"}));
  daemon.wait(daemon.manager().remove("shop"));
  daemon.restart();
  EXPECT_EQ(read_setting("ipv4/ip_forward"), "0\n");
  EXPECT_EQ(nft("list ruleset"), "");
}

TEST(NetworkRecovery, WhatNobodyOwnsIsRemoved) {
  PlayHost host;
  Daemon daemon(fresh_instance());
  auto gone_space = std::make_unique<Space>(true);
  auto id = daemon.add("default", *gone_space, {"web"});
  auto links = link_names();
  EXPECT_EQ(links.size(), 3u);  // lo, the bridge, the veth
  gone_space.reset();
  daemon.wait(daemon.manager().recover({}));
  EXPECT_EQ(daemon.manager().inspect("default").endpoints, 0);
  EXPECT_EQ(link_names().size(), 2u);
  daemon.wait(daemon.manager().unplug(id));
  daemon.wait(daemon.manager().release(id));
  daemon.wait(daemon.manager().remove("default"));
  EXPECT_EQ(link_names(), std::vector<std::string>{"lo"});
}

}  // namespace
}  // namespace gantry::network
