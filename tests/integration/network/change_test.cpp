#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lab.h"

// Networks and endpoints that change while a container runs.
namespace gantry::network {
namespace {

using namespace lab;
using testing::HasSubstr;

// connect, as the engine does it
EndpointInfo connect(Daemon& daemon, const ContainerId& id, const Space& space, EndpointSpec spec,
                     std::vector<PublishedPort> ports = {}) {
  spec.container = id;
  std::optional<Reservation> reservation;
  auto plan = [&]() -> task<> { reservation.emplace(co_await daemon.manager().plan_more(spec)); };
  daemon.wait(plan());
  daemon.database().transaction([&](store::Transaction& t) { reservation->write(t); });
  auto out = reservation->endpoints().front();
  daemon.on_control([&] {
    reservation->keep();
    reservation.reset();
  });
  daemon.wait(daemon.manager().settle(id, space.fd(), std::move(ports), ""));
  return out;
}

void disconnect(Daemon& daemon, const ContainerId& id, const Space& space, const NetworkId& network,
                std::vector<PublishedPort> ports = {}) {
  daemon.database().transaction([&](store::Transaction& t) { NetworkManager::erase_rows(t, id, network); });
  daemon.wait(daemon.manager().withdraw(id, network));
  daemon.wait(daemon.manager().settle(id, space.fd(), std::move(ports), ""));
}

Error refusal(Daemon& daemon, NetworkSpec spec) {
  try {
    daemon.wait(daemon.manager().create(std::move(spec)));
  } catch (const Error& error) {
    return error;
  }
  return Error(ErrorKind::internal, "was not refused");
}

TEST(Change, ARunningContainerGetsAFurtherNetworkAndLosesIt) {
  PlayHost host;
  Daemon daemon(fresh_instance());
  daemon.wait(daemon.manager().create({.name = "front"}));
  auto back = daemon.wait(daemon.manager().create({.name = "back"}));
  Space web(true), db(true);
  auto web_id = daemon.add("front", web, {"web"});
  auto db_id = daemon.add("back", db, {"db"});
  Server server(&db, 5432, false);
  auto target = daemon.endpoint(db_id);
  EXPECT_FALSE(reaches(&web, target.ipv4, 5432));

  auto second = connect(daemon, web_id, web, {.network = "back", .names = {"web", "shop"}});
  EXPECT_EQ(second.interface, "eth1");
  EXPECT_EQ(ask(&web, target.ipv4, 5432), second.ipv4);
  EXPECT_EQ(ask(&web, target.ipv6, 5432), second.ipv6);
  EXPECT_EQ(resolve(&db, target.gateway, "shop"), std::vector<std::string>{second.ipv4});
  EXPECT_EQ(resolve(&web, daemon.endpoint(web_id).gateway, "db"), std::vector<std::string>{target.ipv4});

  disconnect(daemon, web_id, web, back.id);
  EXPECT_FALSE(reaches(&web, target.ipv4, 5432));
  EXPECT_TRUE(resolve(&db, target.gateway, "shop").empty());
  EXPECT_EQ(daemon.manager().endpoints_of(web_id).size(), 1u);
  EXPECT_EQ(daemon.manager().inspect("back").endpoints, 1);
}

TEST(Change, TheWayOutAndThePortsFollow) {
  PlayHost host;
  Outside outside;
  Daemon daemon(fresh_instance());
  auto first = daemon.wait(daemon.manager().create({.name = "first"}));
  daemon.wait(daemon.manager().create({.name = "second"}));
  Space web(true);
  auto id = daemon.add("first", web, {"web"});
  Server server(&web, 80, false);
  std::vector<PublishedPort> ports{{"", 8080, 80, false}};
  daemon.wait(daemon.manager().publish(id, ports));
  EXPECT_TRUE(reaches(&outside.space, "198.51.100.1", 8080));

  connect(daemon, id, web, {.network = "second", .priority = 10}, ports);
  EXPECT_TRUE(reaches(&outside.space, "198.51.100.1", 8080)) << "through the network with the higher priority";
  EXPECT_TRUE(pings(&web, "198.51.100.2"));
  disconnect(daemon, id, web, first.id, ports);
  EXPECT_TRUE(reaches(&outside.space, "198.51.100.1", 8080)) << "through the network that is left";
  EXPECT_TRUE(pings(&web, "198.51.100.2"));
  EXPECT_TRUE(pings(&web, "2001:db8:51::2"));
  disconnect(daemon, id, web, daemon.manager().inspect("second").id, ports);
  EXPECT_FALSE(reaches(&outside.space, "198.51.100.1", 8080));
  EXPECT_FALSE(pings(&web, "198.51.100.2"));
  connect(daemon, id, web, {.network = "first"}, ports);
  EXPECT_TRUE(reaches(&outside.space, "198.51.100.1", 8080)) << "published anew";
}

TEST(Change, ACrashBetweenRowAndLinkIsFinished) {
  PlayHost host;
  Outside outside;
  Daemon daemon(fresh_instance());
  auto first = daemon.wait(daemon.manager().create({.name = "first"}));
  daemon.wait(daemon.manager().create({.name = "second"}));
  Space web(true);
  auto id = daemon.add("first", web, {"web"});
  Server server(&web, 80, false);
  std::vector<PublishedPort> ports{{"", 8080, 80, false}};
  daemon.wait(daemon.manager().publish(id, ports));

  EndpointSpec spec{.container = id, .network = "second", .names = {"web"}};
  std::optional<Reservation> reservation;
  auto plan = [&]() -> task<> { reservation.emplace(co_await daemon.manager().plan_more(spec)); };
  daemon.wait(plan());
  daemon.database().transaction([&](store::Transaction& t) { reservation->write(t); });
  daemon.on_control([&] {
    reservation->keep();
    reservation.reset();
  });
  daemon.restart();
  EXPECT_TRUE(reaches(&outside.space, "198.51.100.1", 8080)) << "what was there goes on";
  daemon.wait(daemon.manager().settle(id, web.fd(), ports, ""));
  auto endpoints = daemon.manager().endpoints_of(id);
  ASSERT_EQ(endpoints.size(), 2u);
  EXPECT_TRUE(endpoints[1].plugged);
  EXPECT_TRUE(pings(&web, endpoints[1].gateway));

  daemon.database().transaction([&](store::Transaction& t) { NetworkManager::erase_rows(t, id, first.id); });
  daemon.restart();
  EXPECT_FALSE(pings(&web, first.gateway)) << "its link was swept";
  daemon.wait(daemon.manager().settle(id, web.fd(), ports, ""));
  EXPECT_TRUE(reaches(&outside.space, "198.51.100.1", 8080));
  EXPECT_TRUE(pings(&web, "198.51.100.2"));
}

TEST(Change, AnEndpointIsWhatWasAskedFor) {
  PlayHost host;
  Daemon daemon(fresh_instance());
  NetworkSpec spec;
  spec.name = "lan";
  spec.ipam = {{.subnet = "10.201.5.0/24",
                .gateway = "10.201.5.254",
                .ip_range = "10.201.5.64/26",
                .aux_addresses = {{"nas", "10.201.5.65"}}},
               {.subnet = "fd00:c9:5::/64", .gateway = "fd00:c9:5::ffff"}};
  auto info = daemon.wait(daemon.manager().create(spec));
  EXPECT_EQ(info.gateway, "10.201.5.254");
  EXPECT_EQ(info.gateway6, "fd00:c9:5::ffff");
  Space web(true), db(true);
  auto web_id = daemon.add("lan", web, {"web"});
  EXPECT_EQ(daemon.endpoint(web_id).ipv4, "10.201.5.66") << "from the range, past the other machine";
  auto db_id = make_id<ContainerId>();
  EndpointSpec wanted{.container = db_id,
                      .network = "lan",
                      .names = {"db"},
                      .ipv4 = "10.201.5.9",
                      .ipv6 = "fd00:c9:5::99",
                      .mac = "02:42:0A:C9:05:09"};
  daemon.wait(daemon.manager().reserve(wanted));
  daemon.wait(daemon.manager().plug(db_id, db.fd()));
  EXPECT_TRUE(pings(&web, "10.201.5.9"));
  EXPECT_TRUE(pings(&web, "fd00:c9:5::99"));
  db.run([] { EXPECT_EQ(link_address("eth0"), "02:42:0a:c9:05:09"); });
  for (auto [ip, words] : {std::pair("10.201.5.9", "Address already in use"),
                           {"10.201.5.65", "Address already in use"},
                           {"10.201.5.255", "Address already in use"},
                           {"10.9.9.9", "no configured subnet contains"}}) {
    EndpointSpec other{.container = make_id<ContainerId>(), .network = "lan", .ipv4 = ip};
    try {
      daemon.wait(daemon.manager().reserve(other));
      ADD_FAILURE() << ip;
    } catch (const Error& error) {
      EXPECT_THAT(error.message(), HasSubstr(words));
    }
  }
}

void heeds_options(bool rules_see_bridged) {
  PlayHost host;
  for (const char* family : {"iptables", "ip6tables"}) {
    auto file = std::string("/proc/sys/net/bridge/bridge-nf-call-") + family;
    if (std::filesystem::exists(file)) write_file(file, rules_see_bridged ? "1" : "0");
  }
  Outside outside;
  Daemon daemon(fresh_instance());
  NetworkSpec spec;
  spec.name = "strict";
  spec.options = {{"com.docker.network.driver.mtu", "1400"},
                  {"com.docker.network.bridge.enable_icc", "false"},
                  {"com.docker.network.bridge.enable_ip_masquerade", "false"},
                  {"com.docker.network.bridge.name", "br-strict"},
                  {"com.docker.network.container_iface_prefix", "lan"}};
  auto info = daemon.wait(daemon.manager().create(spec));
  EXPECT_EQ(info.bridge, "br-strict");
  Space one(true), two(true);
  auto one_id = daemon.add("strict", one, {"one"});
  auto two_id = daemon.add("strict", two, {"two"});
  EXPECT_FALSE(pings(&one, daemon.endpoint(two_id).ipv4));
  EXPECT_TRUE(pings(&one, info.gateway));
  one.run([] { EXPECT_EQ(read_setting("ipv6/conf/lan0/mtu"), "1400\n"); });
  Server server(&outside.space, 8000, false);
  EXPECT_EQ(ask(&one, "198.51.100.2", 8000), daemon.endpoint(one_id).ipv4);
  Server inside(&two, 80, false);
  daemon.wait(daemon.manager().publish(two_id, {{"", 8081, 80, false}}));
  EXPECT_TRUE(reaches(&outside.space, "198.51.100.1", 8081));
  EXPECT_TRUE(reaches(&one, "198.51.100.1", 8081)) << "what is published is for everybody";

  EXPECT_THAT(
      refusal(daemon, {.name = "again", .options = {{"com.docker.network.bridge.name", "br-strict"}}}).message(),
      HasSubstr("a link named br-strict is on the host already"));
  daemon.restart();
  EXPECT_FALSE(pings(&one, daemon.endpoint(two_id).ipv4));
  daemon.wait(daemon.manager().remove_all());
  EXPECT_THAT(link_names(), testing::Not(testing::Contains("br-strict")));
}

TEST(Change, OptionsOfTheBridgeAreHeeded) { heeds_options(false); }
TEST(Change, OptionsOfTheBridgeAreHeededWithBridgeNetfilter) { heeds_options(true); }

TEST(Change, RefusalsSayWhatDockerSays) {
  PlayHost host;
  Daemon daemon(fresh_instance());
  daemon.wait(daemon.manager().create({.name = "lan", .subnet = "10.201.6.0/24"}));
  auto& manager = daemon.manager();
  EXPECT_THAT(refusal(daemon, {.name = "lan"}).message(), HasSubstr("network with name lan already exists"));
  EXPECT_THAT(refusal(daemon, {.name = "other", .subnet = "10.201.0.0/16"}).message(),
              HasSubstr("Pool overlaps with other one on this address space"));
  EXPECT_EQ(refusal(daemon, {.name = "bridge"}).kind(), ErrorKind::denied);
  EXPECT_EQ(refusal(daemon, {.name = "x", .driver = "host"}).message(),
            "only one instance of \"host\" network is allowed");
  EXPECT_EQ(refusal(daemon, {.name = "x", .driver = "overlay"}).kind(), ErrorKind::unsupported);
  EXPECT_EQ(refusal(daemon, {.name = "x", .driver = "weave"}).kind(), ErrorKind::not_found);
  Space web(true);
  auto id = daemon.add("lan", web, {"web"});
  try {
    daemon.wait(manager.remove("lan"));
    ADD_FAILURE() << "removed";
  } catch (const Error& error) {
    EXPECT_THAT(error.message(),
                HasSubstr("network lan id " + manager.inspect("lan").id.str() + " has active endpoints"));
  }
  EXPECT_THROW(daemon.wait(manager.remove("host")), Error);
  EXPECT_EQ(manager.inspect("none").spec.driver, "null");
  EXPECT_EQ(manager.inspect(manager.inspect("host").id.str()).spec.name, "host");
}

TEST(Change, PruneTakesWhatNobodyUses) {
  PlayHost host;
  Daemon daemon(fresh_instance());
  auto& manager = daemon.manager();
  auto usual = daemon.wait(manager.ensure_default());
  EXPECT_EQ(manager.inspect("bridge").id, usual.id);
  for (const char* name : {"idle", "used", "kept"}) daemon.wait(manager.create({.name = name}));
  Space web(true);
  daemon.add("used", web, {"web"});
  auto pruned = daemon.wait(manager.prune([](const NetworkInfo& info) { return info.spec.name != "kept"; }));
  ASSERT_EQ(pruned.size(), 1u);
  EXPECT_EQ(pruned.front().spec.name, "idle");
  EXPECT_EQ(manager.list().size(), 3u);
}

}  // namespace
}  // namespace gantry::network
