#include "fixture.h"

namespace gantry::engine {
namespace {

using testing::HasSubstr;
using testing::Not;

class EngineNetworks : public EngineTest {
 protected:
  network::NetworkInfo make_network(const std::string& name) {
    network::NetworkInfo out;
    network::NetworkSpec spec;
    spec.name = name;
    run([&]() -> task<> { out = co_await engine().networks().create(spec); });
    return out;
  }
  void connect(const ContainerId& id, NetworkAttachment attachment) {
    run([&]() -> task<> { co_await engine().connect(id, attachment); });
  }
  void disconnect(const ContainerId& id, const std::string& network) {
    run([&]() -> task<> { co_await engine().disconnect(id, network); });
  }
  Error connect_refusal(const ContainerId& id, const std::string& network) {
    NetworkAttachment attachment{.network = network};
    return refusal([&]() -> task<> { co_await engine().connect(id, attachment); });
  }
  /// A daemon that dies at `step` of `work`, and its successor.
  void die_at(const std::string& step, const std::function<task<>()>& work) {
    bool cut = false;
    on_step_ = [&](std::string_view at) {
      if (at != step || std::exchange(cut, true)) return;
      throw Error(ErrorKind::cancelled, "the daemon was killed");
    };
    refusal(work);
    on_step_ = {};
    EXPECT_TRUE(cut) << step << " is not a step";
  }
  std::vector<std::string> networks_of(const ContainerId& id) {
    std::vector<std::string> out;
    for (const auto& attachment : attachments_of(info(id))) out.push_back(attachment.network);
    return out;
  }
  ContainerSpec sleeper(const std::string& name) {
    auto spec = shell("exec sleep 1000");
    spec.name = name;
    return spec;
  }
};

TEST_F(EngineNetworks, ConnectAndDisconnectWhileItRuns) {
  auto back = make_network("back");
  auto web = start(sleeper("web"));
  auto spec = sleeper("db");
  spec.networks = {{.network = "back"}};
  auto db = start(spec);
  EXPECT_THAT(exec(web, {"sh", "-c", "ping -c1 -W1 db >/dev/null 2>&1 && echo there || echo not"}), HasSubstr("not"));

  connect(web, {.network = "back", .aliases = {"shop"}, .mac = "02:42:00:00:00:07"});
  auto addresses = info(web).addresses;
  ASSERT_EQ(addresses.size(), 2u);
  EXPECT_EQ(addresses[1].network_id, back.id);
  EXPECT_EQ(addresses[1].mac, "02:42:00:00:00:07");
  EXPECT_THAT(exec(web, {"sh", "-c", "ping -c1 -W1 db >/dev/null 2>&1 && echo there || echo not"}), HasSubstr("there"));
  EXPECT_THAT(exec(db, {"sh", "-c", "ping -c1 -W1 shop >/dev/null 2>&1 && echo there || echo not"}),
              HasSubstr("there"));
  EXPECT_THAT(exec(web, {"cat", "/etc/hosts"}), HasSubstr(addresses[1].ipv4));
  EXPECT_THAT(connect_refusal(web, "back").message(),
              HasSubstr("endpoint with name web already exists in network back"));

  disconnect(web, "back");
  EXPECT_EQ(networks_of(web), std::vector<std::string>{"default"});
  EXPECT_THAT(exec(web, {"ls", "/sys/class/net"}), Not(HasSubstr("eth1")));
  EXPECT_THAT(exec(web, {"cat", "/etc/hosts"}), Not(HasSubstr(addresses[1].ipv4)));
}

TEST_F(EngineNetworks, ResolvConfAndPortsFollowTheWayOut) {
  make_network("other");
  auto spec = sleeper("web");
  spec.ports = {{.container_port = 80}};
  auto web = start(spec);
  auto port = info(web).ports.at(0).host_port;
  connect(web, {.network = "other"});
  disconnect(web, "bridge");  // as Docker's clients call it
  EXPECT_EQ(networks_of(web), std::vector<std::string>{"other"});
  EXPECT_EQ(info(web).ports.at(0).host_port, port);
  EXPECT_THAT(exec(web, {"cat", "/etc/resolv.conf"}), HasSubstr("nameserver " + info(web).addresses.at(0).gateway));
  disconnect(web, "other");
  EXPECT_TRUE(info(web).ports.empty());
  EXPECT_TRUE(networks_of(web).empty());
  connect(web, {.network = "default"});
  EXPECT_EQ(info(web).ports.size(), 1u);
}

TEST_F(EngineNetworks, WhatWasChangedHoldsForTheNextStart) {
  make_network("one");
  make_network("two");
  auto spec = sleeper("web");
  spec.networks = {{.network = "one"}};
  auto web = create(spec);
  connect(web, {.network = "two", .gateway_priority = 5});
  run([&]() -> task<> { co_await engine().start(web); });
  EXPECT_THAT(exec(web, {"ip", "route"}), HasSubstr("default via " + info(web).addresses.at(1).gateway));
  disconnect(web, "one");
  restart_daemon();
  run([&]() -> task<> { co_await engine().restart(web, Duration::zero()); });
  EXPECT_EQ(networks_of(web), std::vector<std::string>{"two"});
  EXPECT_EQ(info(web).addresses.size(), 1u);
  run([&]() -> task<> { co_await engine().stop(web, Duration::zero()); });
  disconnect(web, "two");
  run([&]() -> task<> { co_await engine().start(web); });
  EXPECT_TRUE(info(web).addresses.empty());
}

TEST_F(EngineNetworks, ACrashInTheMiddleIsFinished) {
  make_network("back");
  auto web = start(sleeper("web"));
  NetworkAttachment attachment{.network = "back"};
  for (const char* step : {"connect: reserve", "connect: row"}) {
    die_at(step, [&]() -> task<> { co_await engine().connect(web, attachment); });
    restart_daemon();
    EXPECT_EQ(networks_of(web), std::vector<std::string>{"default"}) << step;
  }
  die_at("connect: plug", [&]() -> task<> { co_await engine().connect(web, attachment); });
  restart_daemon();
  auto has_link = [&] { return exec(web, {"ls", "/sys/class/net"}).find("eth1") != std::string::npos; };
  EXPECT_TRUE(eventually(has_link)) << "its row said so";
  EXPECT_EQ(networks_of(web), (std::vector<std::string>{"default", "back"}));
  die_at("disconnect: unplug", [&]() -> task<> { co_await engine().disconnect(web, "back"); });
  restart_daemon();
  EXPECT_TRUE(eventually([&] { return !has_link(); }));
  EXPECT_EQ(networks_of(web), std::vector<std::string>{"default"});
  EXPECT_EQ(engine().networks().inspect("back").endpoints, 0);
}

TEST_F(EngineNetworks, AChangeThatFailsLeavesNothing) {
  make_network("back");
  auto web = start(sleeper("web"));
  on_step_ = [](std::string_view at) {
    if (at == "connect: plug") throw Error(ErrorKind::exhausted, "fault");
  };
  EXPECT_THAT(connect_refusal(web, "back").message(), HasSubstr("fault"));
  on_step_ = {};
  EXPECT_EQ(networks_of(web), std::vector<std::string>{"default"});
  EXPECT_EQ(engine().networks().inspect("back").endpoints, 0);
  connect(web, {.network = "back"});
}

TEST_F(EngineNetworks, ModesWithoutNetworksRefuse) {
  make_network("back");
  auto spec = sleeper("alone");
  spec.no_network = true;
  auto alone = create(spec);
  EXPECT_THAT(connect_refusal(alone, "back").message(), HasSubstr("private (none) mode"));
  auto web = create(sleeper("web"));
  EXPECT_THAT(connect_refusal(web, "host").message(), HasSubstr("connected to host network"));
  EXPECT_EQ(connect_refusal(web, "nowhere").kind(), ErrorKind::not_found);
  auto error = refusal([&]() -> task<> { co_await engine().disconnect(web, "back"); });
  EXPECT_THAT(error.message(), HasSubstr("is not connected to network back"));
}

TEST_F(EngineNetworks, EventsTellOfEndpoints) {
  auto back = make_network("back");
  auto web = start(sleeper("web"));
  connect(web, {.network = "back"});
  disconnect(web, "back");
  run([&]() -> task<> { co_await engine().stop(web, Duration::zero()); });
  std::vector<std::string> seen;
  run([&]() -> task<> {
    std::function<task<>(Event)> sink = [&](Event event) -> task<> {
      if (event.type == "network" && event.attributes["container"] == web.str())
        seen.push_back(event.action + " " + event.name);
      co_return;
    };
    co_await engine().events(Timestamp{}, false, sink);
  });
  EXPECT_EQ(seen,
            (std::vector<std::string>{"connect default", "connect back", "disconnect back", "disconnect default"}));
}

}  // namespace
}  // namespace gantry::engine
