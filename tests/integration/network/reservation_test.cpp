#include <gtest/gtest.h>

#include "lab.h"

namespace gantry::network {
namespace {

using namespace lab;

struct Host {
  PlayHost host;
  std::string instance = fresh_instance();
  Daemon daemon{instance};

  static ReservationSpec spec(std::vector<std::string> names = {}, const std::string& network = "default") {
    ReservationSpec out;
    out.container = make_id<ContainerId>();
    EndpointSpec endpoint;
    endpoint.network = network;
    endpoint.names = std::move(names);
    out.endpoints.push_back(std::move(endpoint));
    return out;
  }
  void keep(Reservation& reservation) {
    daemon.database().transaction([&](store::Transaction& t) { reservation.write(t); });
    reservation.keep();
  }
  void give_back(const ContainerId& id) {
    daemon.wait(daemon.manager().unplug(id));
    daemon.database().transaction([&](store::Transaction& t) { NetworkManager::erase_rows(t, id); });
    daemon.on_control([&] { daemon.manager().released(id); });
  }
  int endpoints() { return daemon.manager().inspect("default").endpoints; }
  /// Links of containers.
  std::size_t veths() {
    auto names = link_names();
    return static_cast<std::size_t>(std::count_if(
        names.begin(), names.end(), [&](const std::string& name) { return name.starts_with("gv" + instance); }));
  }
};

TEST(Reservation, WhatIsNotKeptIsGivenBack) {
  Host lab;
  auto wanted = lab.spec();
  wanted.ports = {{.host_port = 0, .container_port = 80}};
  std::uint16_t port = 0;
  {
    auto reservation = lab.daemon.plan(std::move(wanted));
    EXPECT_EQ(lab.endpoints(), 1);
    port = reservation.ports().at(0).host_port;
    EXPECT_NE(port, 0);
    EXPECT_THROW(Server(nullptr, port, false), Error) << "the port is held";
    lab.daemon.on_control([gone = std::optional(std::move(reservation))]() mutable { gone.reset(); });
  }
  EXPECT_EQ(lab.endpoints(), 0);
  Server free(nullptr, port, false);
}

TEST(Reservation, OnePlugForLinkPortsAndNames) {
  Host lab;
  Outside outside;
  Space web(true), client(true);
  auto wanted = lab.spec({"web"});
  wanted.ports = {{.host_port = 8080, .container_port = 80}};
  auto id = wanted.container;
  auto reservation = lab.daemon.plan(std::move(wanted));
  lab.keep(reservation);
  EXPECT_EQ(lab.veths(), 0u);
  lab.daemon.wait(lab.daemon.manager().plug(id, web.fd()));
  Server server(&web, 80, false);
  EXPECT_EQ(ask(&outside.space, "198.51.100.1", 8080), "198.51.100.2");
  lab.daemon.add("default", client, {"client"});
  auto gateway = reservation.endpoints().at(0).gateway;
  EXPECT_EQ(resolve(&client, gateway, "web").size(), 1u);
  EXPECT_EQ(resolve(&client, gateway, "web", "AAAA").size(), 1u);
  EXPECT_EQ(resolve(&client, gateway, "WEB.default").size(), 1u);

  auto again = lab.spec();
  again.ports = {{.host_port = 8080, .container_port = 80}};
  EXPECT_THROW(lab.daemon.plan(std::move(again)), Error) << "the port is taken before anything is made";

  lab.give_back(id);
  EXPECT_FALSE(reaches(&outside.space, "198.51.100.1", 8080));
  EXPECT_TRUE(resolve(&client, gateway, "web").empty());
  Server free(nullptr, 8080, false);
}

TEST(Reservation, IsThereAfterARestart) {
  Host lab;
  Space web(true);
  auto wanted = lab.spec({"web"});
  wanted.ports = {{.host_port = 8080, .container_port = 80}};
  auto id = wanted.container;
  auto reservation = lab.daemon.plan(std::move(wanted));
  lab.keep(reservation);
  lab.daemon.wait(lab.daemon.manager().plug(id, web.fd()));
  lab.daemon.restart({id});
  EXPECT_EQ(lab.endpoints(), 1);
  EXPECT_THROW(Server(nullptr, 8080, false), Error);
  Server server(&web, 80, false);
  EXPECT_TRUE(reaches(nullptr, "127.0.0.1", 8080));
  lab.give_back(id);
  lab.daemon.restart({id});
  EXPECT_EQ(lab.endpoints(), 0);
}

TEST(Reservation, AFailedPlugLeavesOnlyTheReservation) {
  Host lab;
  Space web(true);
  auto wanted = lab.spec({"web"});
  wanted.endpoints.at(0).interface = "not a name for a link";
  auto id = wanted.container;
  auto reservation = lab.daemon.plan(std::move(wanted));
  lab.keep(reservation);
  EXPECT_THROW(lab.daemon.wait(lab.daemon.manager().plug(id, web.fd())), Error);
  lab.daemon.wait(lab.daemon.manager().settled());
  EXPECT_EQ(lab.veths(), 0u);
  EXPECT_EQ(lab.endpoints(), 1);
  lab.give_back(id);
}

TEST(Sweeper, LinksGoInTheBackgroundAndAddressesComeBackAfterThem) {
  Host lab;
  Space web(true);
  auto id = lab.daemon.add("default", web, {"web"});
  auto address = lab.daemon.endpoint(id).ipv4;
  EXPECT_EQ(lab.veths(), 1u);
  lab.give_back(id);
  EXPECT_EQ(lab.endpoints(), 0);
  // Asked for by its number it is given at once, and the plug waits for the old link.
  Space next(true);
  auto wanted = lab.spec();
  wanted.endpoints.at(0).ipv4 = address;
  auto second = wanted.container;
  auto reservation = lab.daemon.plan(std::move(wanted));
  lab.keep(reservation);
  EXPECT_EQ(reservation.endpoints().at(0).ipv4, address);
  lab.daemon.wait(lab.daemon.manager().plug(second, next.fd()));
  EXPECT_EQ(lab.veths(), 1u);
  EXPECT_TRUE(pings(&next, reservation.endpoints().at(0).gateway));
  EXPECT_FALSE(pings(&web, reservation.endpoints().at(0).gateway)) << "the old container is off the network";
  lab.give_back(second);
  lab.daemon.wait(lab.daemon.manager().settled());
  EXPECT_EQ(lab.veths(), 0u);
}

TEST(Sweeper, AFullSubnetWaitsForWhatIsGoing) {
  Host lab;
  NetworkSpec small;
  small.name = "small";
  small.subnet = "10.201.7.0/29";
  lab.daemon.wait(lab.daemon.manager().create(small));
  std::vector<Space> spaces(5);
  std::vector<ContainerId> ids;
  for (const auto& space : spaces) ids.push_back(lab.daemon.add("small", space, {}));
  EXPECT_THROW(lab.daemon.plan(lab.spec({}, "small")), Error);
  for (const auto& id : ids) lab.give_back(id);
  auto reservation = lab.daemon.plan(lab.spec({}, "small"));
  EXPECT_EQ(lab.veths(), 0u) << "its address was busy until then";
  lab.daemon.on_control([gone = std::optional(std::move(reservation))]() mutable { gone.reset(); });
  lab.daemon.wait(lab.daemon.manager().remove("small"));
}

TEST(Sweeper, RemovingANetworkWaitsForItsLinks) {
  Host lab;
  std::vector<Space> spaces(20);
  std::vector<ContainerId> ids;
  for (const auto& space : spaces) ids.push_back(lab.daemon.add("default", space, {}));
  for (const auto& id : ids) lab.give_back(id);
  lab.daemon.wait(lab.daemon.manager().remove("default"));
  EXPECT_EQ(link_names(), std::vector<std::string>{"lo"});
}

TEST(WarmLink, BecomesTheLinkOfAContainer) {
  Host lab;
  Space web(true), other(true);
  auto warm = lab.daemon.wait_for_link(web);
  EXPECT_EQ(lab.veths(), 1u);
  auto veth = warm.veth;
  auto wanted = lab.spec({"web"});
  wanted.link = std::move(warm);
  auto id = wanted.container;
  auto reservation = lab.daemon.plan(std::move(wanted));
  lab.keep(reservation);
  lab.daemon.wait(lab.daemon.manager().plug(id, web.fd()));
  EXPECT_EQ(lab.veths(), 1u);
  auto own = reservation.endpoints().at(0);
  Server server(&web, 80, false);
  auto other_id = lab.daemon.add("default", other, {"other"});
  EXPECT_EQ(ask(&other, own.ipv4, 80), lab.daemon.endpoint(other_id).ipv4);
  EXPECT_EQ(ask(&other, own.ipv6, 80), lab.daemon.endpoint(other_id).ipv6);
  EXPECT_EQ(ask(&web, own.ipv4, 80), own.ipv4) << "lo is up";
  web.run([&] {
    EXPECT_EQ(link_address("eth0"), own.mac);
    EXPECT_EQ(read_setting("ipv6/conf/eth0/accept_ra"), "0\n");
  });
  // The record names the link, so a restart knows it.
  lab.daemon.restart({id, other_id});
  EXPECT_EQ(ask(&other, own.ipv4, 80), lab.daemon.endpoint(other_id).ipv4);
  lab.give_back(id);
  lab.daemon.wait(lab.daemon.manager().settled());
  auto names = link_names();
  EXPECT_EQ(std::count(names.begin(), names.end(), veth), 0);
}

TEST(WarmLink, DiesWithItsNamespaceOrByBeingDiscarded) {
  Host lab;
  {
    Space space(true);
    auto warm = lab.daemon.wait_for_link(space);
    lab.daemon.on_control([&] { lab.daemon.manager().discard(std::move(warm)); });
    lab.daemon.wait(lab.daemon.manager().settled());
    EXPECT_EQ(lab.veths(), 0u);
  }
  {
    Space space(true);
    lab.daemon.wait_for_link(space);
    EXPECT_EQ(lab.veths(), 1u);
  }
  for (int i = 0; i < 500 && lab.veths() != 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(lab.veths(), 0u);
}

TEST(WarmLink, IsSweptAfterACrash) {
  Host lab;
  Space space(true);
  lab.daemon.wait(lab.daemon.manager().create({.name = "default"}));
  lab.daemon.wait_for_link(space);
  EXPECT_EQ(lab.veths(), 1u);
  lab.daemon.restart({});
  EXPECT_EQ(lab.veths(), 0u);
}

TEST(Density, AThousandFitAndNoMoreThanTheBridgeTakes) {
  Host lab;
  auto first = lab.daemon.plan(lab.spec({"first"}));
  EXPECT_TRUE(lab.daemon.manager().inspect("default").subnet.ends_with("/20"));
  std::vector<Reservation> all;
  all.push_back(std::move(first));
  std::set<std::string> addresses;
  while (all.size() < 1023) all.push_back(lab.daemon.plan(lab.spec({"app"})));
  for (const auto& one : all) addresses.insert(one.endpoints().at(0).ipv4);
  EXPECT_EQ(addresses.size(), 1023u);
  try {
    lab.daemon.plan(lab.spec());
    ADD_FAILURE() << "the bridge has 1023 ports";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::exhausted);
    EXPECT_NE(error.fix().find("gantry network create"), std::string::npos);
  }
  lab.daemon.on_control([&] { all.clear(); });
  EXPECT_EQ(lab.endpoints(), 0);
}

}  // namespace
}  // namespace gantry::network
