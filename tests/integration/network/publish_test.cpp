#include <gtest/gtest.h>
#include <netinet/in.h>
#include <unistd.h>

#include "lab.h"

namespace gantry::network {
namespace {

using namespace lab;
using Ports = std::vector<PublishedPort>;

struct Published {
  PlayHost host;
  Outside outside;
  Daemon daemon{fresh_instance()};
  Space web{true};
  ContainerId id = daemon.add("default", web, {"web"});
  Server tcp{&web, 80, false};
  Server udp{&web, 53, true};
  EndpointInfo own = daemon.endpoint(id);

  Ports publish(Ports ports) { return daemon.wait(daemon.manager().publish(id, ports)); }
};

constexpr std::uint16_t kPort = 8080;

TEST(NetworkPublish, OutsideClientsKeepTheirAddress) {
  Published lab;
  lab.publish({{.host_port = kPort, .container_port = 80}, {.host_port = kPort, .container_port = 53, .udp = true}});
  const auto* client = &lab.outside.space;
  EXPECT_EQ(ask(client, "198.51.100.1", kPort), "198.51.100.2");
  EXPECT_EQ(ask(client, "2001:db8:51::1", kPort), "2001:db8:51::2");
  EXPECT_EQ(ask(client, "198.51.100.1", kPort, true), "198.51.100.2");
  EXPECT_EQ(ask(client, "2001:db8:51::1", kPort, true), "2001:db8:51::2");
  EXPECT_FALSE(reaches(client, lab.own.ipv4, 80)) << "the container itself is not reached past its published port";
  lab.daemon.wait(lab.daemon.manager().unplug(lab.id));
  EXPECT_FALSE(reaches(client, "198.51.100.1", kPort));
}

TEST(NetworkPublish, FromTheHostItself) {
  Published lab;
  lab.publish({{.host_port = kPort, .container_port = 80}, {.host_port = kPort, .container_port = 53, .udp = true}});
  EXPECT_EQ(ask(nullptr, "127.0.0.1", kPort), lab.own.gateway);
  EXPECT_EQ(ask(nullptr, "127.0.0.1", kPort, true), lab.own.gateway);
  EXPECT_EQ(ask(nullptr, "198.51.100.1", kPort), "198.51.100.1");
  EXPECT_EQ(ask(nullptr, "2001:db8:51::1", kPort), "2001:db8:51::1");
  EXPECT_EQ(ask(nullptr, "::1", kPort), "error: Connection refused") << "clients of localhost go on to 127.0.0.1";
}

TEST(NetworkPublish, LoopbackOnlyStaysOnTheHost) {
  Published lab;
  lab.publish({{.host_ip = "127.0.0.1", .host_port = kPort, .container_port = 80}});
  EXPECT_TRUE(reaches(nullptr, "127.0.0.1", kPort));
  EXPECT_FALSE(reaches(nullptr, "198.51.100.1", kPort));
  EXPECT_FALSE(reaches(&lab.outside.space, "198.51.100.1", kPort));
  EXPECT_THROW(lab.publish({{.host_ip = "::1", .host_port = kPort, .container_port = 80}}), Error);
  EXPECT_THROW(lab.publish({{.host_ip = "203.0.113.9", .host_port = kPort, .container_port = 80}}), Error);
}

TEST(NetworkPublish, ContainersReachPublishedPorts) {
  Published lab;
  lab.publish({{.host_port = kPort, .container_port = 80}});
  EXPECT_EQ(ask(&lab.web, "198.51.100.1", kPort), lab.own.gateway) << "itself, through its own host port";
  EXPECT_EQ(ask(&lab.web, lab.own.gateway6, kPort), lab.own.gateway6);
  Space neighbour(true);
  lab.daemon.add("default", neighbour, {"neighbour"});
  EXPECT_TRUE(reaches(&neighbour, "198.51.100.1", kPort));
  lab.daemon.wait(lab.daemon.manager().create({.name = "other"}));
  Space foreign(true);
  auto source = lab.daemon.endpoint(lab.daemon.add("other", foreign, {"foreign"}));
  EXPECT_EQ(ask(&foreign, "198.51.100.1", kPort), source.ipv4);
}

TEST(NetworkPublish, TheHostsOwnRulesStillDrop) {
  Published lab;
  lab.publish({{.host_port = kPort, .container_port = 80}, {.host_port = 8081, .container_port = 80}});
  nft("add table inet host_rules\n"
      "add chain inet host_rules forward { type filter hook forward priority 10; }\n"
      "add rule inet host_rules forward meta l4proto tcp ct original proto-dst 8080 drop");
  EXPECT_FALSE(reaches(&lab.outside.space, "198.51.100.1", kPort));
  EXPECT_TRUE(reaches(&lab.outside.space, "198.51.100.1", 8081));
  nft("delete table inet host_rules");
  EXPECT_TRUE(reaches(&lab.outside.space, "198.51.100.1", kPort));
  nft("add table inet host_rules\n"
      "add chain inet host_rules forward { type filter hook forward priority -10; policy drop; }");
  EXPECT_FALSE(reaches(&lab.outside.space, "198.51.100.1", 8081));
  nft("delete table inet host_rules");
}

std::string refusal(Published& lab, PublishedPort port) {
  try {
    lab.publish({port});
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::conflict);
    return error.message();
  }
  return {};
}

TEST(NetworkPublish, AConflictNamesPortAndHolder) {
  Published lab;
  Server busy(nullptr, kPort, false);
  auto message = refusal(lab, {.host_port = kPort, .container_port = 80});
  EXPECT_NE(message.find("port 8080/tcp is in use"), std::string::npos) << message;
  EXPECT_NE(message.find(fmt::format("(pid {})", getpid())), std::string::npos) << message;
  lab.publish({{.host_port = 8081, .container_port = 80}});
  message = refusal(lab, {.host_port = 8081, .container_port = 80});
  EXPECT_NE(message.find("container " + short_id(lab.id)), std::string::npos) << message;
  EXPECT_EQ(lab.publish({{.host_port = 8082, .container_port = 80}}).front().host_port, 8082);
}

TEST(NetworkPublish, APublishedPortIsHeldAndGivenBack) {
  Published lab;
  auto chosen = lab.publish({{.host_port = 0, .container_port = 80}}).front().host_port;
  ASSERT_NE(chosen, 0);
  EXPECT_TRUE(reaches(&lab.outside.space, "198.51.100.1", chosen));
  EXPECT_THROW(Server(nullptr, chosen, false), Error);
  lab.daemon.wait(lab.daemon.manager().unplug(lab.id));
  EXPECT_NO_THROW(Server(nullptr, chosen, false));
}

}  // namespace
}  // namespace gantry::network
