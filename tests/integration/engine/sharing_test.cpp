#include <unistd.h>

#include "fixture.h"

// Namespaces of the host and of other containers, as a user asks for them.
namespace gantry::engine {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr auto kHost = NamespaceMode::host;
constexpr auto kContainer = NamespaceMode::container;

class Sharing : public EngineTest {
 protected:
  ContainerSpec joining(const std::string& lender, const std::string& script) {
    auto spec = shell(script);
    spec.namespaces.network = Namespace{.mode = kContainer, .container = lender};
    return spec;
  }
  ContainerSpec lender(const std::string& script = "sleep 1000") {
    auto spec = shell(script);
    spec.name = "lender";
    return spec;
  }
};

TEST_F(Sharing, TheHostsNetworkNeedsTheHostsUsersAndSaysSo) {
  auto spec = shell("readlink /proc/self/ns/net; cat /etc/resolv.conf; cat /proc/self/uid_map");
  spec.namespaces.network = Namespace{.mode = kHost};
  auto id = start(spec);
  EXPECT_EQ(wait(id), 0);
  char own[64] = "";
  ASSERT_GT(::readlink("/proc/self/ns/net", own, sizeof own - 1), 0);
  auto text = logs(id);
  EXPECT_TRUE(text.starts_with(own)) << text;
  EXPECT_THAT(text, HasSubstr(read_file("/etc/resolv.conf")));
  EXPECT_THAT(text, HasSubstr("4294967295"));
  EXPECT_THAT(info(id).isolation_off, ElementsAre("network=host", "userns=host"));
  EXPECT_THAT(info(id).addresses, IsEmpty());
}

TEST_F(Sharing, TheNetworkOfAnotherWithItsNames) {
  auto first = start(lender());
  auto second = start(joining("lender", "ip -4 addr show eth0; hostname; cat /etc/hosts; cat /proc/self/uid_map"));
  EXPECT_EQ(wait(second), 0);
  auto text = logs(second);
  EXPECT_THAT(text, HasSubstr("inet " + info(first).addresses.at(0).ipv4 + "/"));
  EXPECT_THAT(text, HasSubstr("\n" + first.str().substr(0, 12) + "\n"));
  EXPECT_THAT(text, HasSubstr(info(first).addresses.at(0).ipv4 + "\t" + first.str().substr(0, 12)));
  EXPECT_THAT(exec(first, {"cat", "/proc/self/uid_map"}), HasSubstr(text.substr(text.rfind("     "))));
  EXPECT_THAT(info(second).isolation_off, ElementsAre("network=container:" + first.str().substr(0, 12)));
  EXPECT_EQ(info(second).spec.namespaces.network->container, first.str()) << "a name may change, the id does not";
}

TEST_F(Sharing, WhoIsJoinedMustRun) {
  auto missing = refusal([&]() -> task<> { co_await engine().create(joining("nobody", "true")); });
  EXPECT_EQ(missing.kind(), ErrorKind::not_found);
  auto first = create(lender());
  auto second = create(joining("lender", "true"));
  auto refused = refusal([&]() -> task<> { co_await engine().start(second); });
  EXPECT_EQ(refused.kind(), ErrorKind::conflict);
  EXPECT_THAT(refused.fix(), HasSubstr("lender"));
  run([&]() -> task<> { co_await engine().start(first); });
  run([&]() -> task<> { co_await engine().start(second); });
  EXPECT_EQ(wait(second), 0);
}

TEST_F(Sharing, ProcessesAndSharedMemoryOfAnother) {
  auto wanted = lender("echo note > /dev/shm/note; sleep 1000");
  wanted.namespaces.ipc = Namespace{.mode = NamespaceMode::shareable};
  auto first = start(wanted);
  auto spec = shell("until cat /dev/shm/note; do sleep 0.1; done; ps | grep -c '[s]leep 1000'");
  spec.namespaces.pid = Namespace{.mode = kContainer, .container = "lender"};
  spec.namespaces.ipc = Namespace{.mode = kContainer, .container = "lender"};
  EXPECT_THAT(output(spec), HasSubstr("note\n1\n"));
  EXPECT_EQ(info(first).state, State::running);
}

TEST_F(Sharing, APrivateIpcNamespaceIsNobodyElses) {
  start(lender());
  auto spec = shell("true");
  spec.namespaces.ipc = Namespace{.mode = kContainer, .container = "lender"};
  auto refused = refusal([&]() -> task<> { co_await engine().create(spec); });
  EXPECT_EQ(refused.kind(), ErrorKind::conflict);
}

TEST_F(Sharing, WhatBelongsToAnOwnNetworkIsRefusedInAnothers) {
  start(lender());
  auto refused = [&](auto change) {
    auto spec = joining("lender", "true");
    change(spec);
    return refusal([&]() -> task<> { co_await engine().create(spec); }).kind() == ErrorKind::invalid;
  };
  EXPECT_TRUE(refused([](auto& s) { s.ports = {{.container_port = 80}}; }));
  EXPECT_TRUE(refused([](auto& s) { s.hostname = "other"; }));
  EXPECT_TRUE(refused([](auto& s) { s.dns = {"10.0.0.1"}; }));
  EXPECT_TRUE(refused([](auto& s) { s.no_network = true; }));
}

TEST_F(Sharing, TheEndOfOneIsNotTheEndOfTheOther) {
  auto first = start(lender());
  auto second = start(joining("lender", "sleep 1000"));
  restart_daemon();
  EXPECT_EQ(info(second).state, State::running);
  run([&]() -> task<> { co_await engine().stop(first, Duration::zero()); });
  EXPECT_EQ(info(second).state, State::running);
  EXPECT_THAT(exec(second, {"hostname"}), HasSubstr(first.str().substr(0, 12)));
  run([&]() -> task<> { co_await engine().start(first); });
  EXPECT_EQ(info(first).state, State::running);
}

TEST_F(Sharing, WhoIsNotOrdinaryHasItsNetworkAllTheSame) {
  // The first start fills the pool of what has been made ahead, which must not be used for others.
  EXPECT_EQ(output(shell("true")), "");
  auto spec = shell("ip -4 addr show eth0 | grep -c inet");
  spec.security.unmask_paths = true;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(output(spec), "1\n");
}

TEST_F(Sharing, TheHostsNamesAndProcesses) {
  auto spec = shell("hostname; readlink /proc/self/ns/pid");
  spec.namespaces.uts = Namespace{.mode = kHost};
  spec.namespaces.pid = Namespace{.mode = kHost};
  char name[256] = "", own[64] = "";
  ::gethostname(name, sizeof name - 1);
  ASSERT_GT(::readlink("/proc/self/ns/pid", own, sizeof own - 1), 0);
  EXPECT_EQ(output(spec), std::string(name) + "\n" + own + "\n");
}

}  // namespace
}  // namespace gantry::engine
