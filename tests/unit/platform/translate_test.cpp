#include "translate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gantry/base/error.h"

namespace {
using namespace gantry;
using namespace gantry::platform;
using namespace std::chrono_literals;

compose::Stack small_stack() {
  compose::Stack stack;
  stack.name = "shop";
  stack.working_directory = "/srv/shop";
  stack.networks["default"] = {.name = "shop_default"};
  stack.networks["back"] = {.name = "shop_back", .internal = true};
  stack.volumes["data"] = {.name = "shop_data"};
  compose::Service web;
  web.name = "web";
  web.image = "shop-web";
  web.networks["default"] = {};
  web.networks["back"] = {.aliases = {"www"}, .priority = 10};
  stack.services["web"] = web;
  return stack;
}

TEST(Translate, NamesLabelsAndAliasesAReplica) {
  auto stack = small_stack();
  auto spec = container_spec(stack, stack.services["web"], 2, 7, "abc");
  EXPECT_EQ(spec.name, "shop-web-2");
  EXPECT_EQ(spec.labels.at(engine::kStackLabel), "shop");
  EXPECT_EQ(spec.labels.at(engine::kReplicaLabel), "2");
  EXPECT_EQ(spec.labels.at(engine::kReleaseLabel), "7");
  EXPECT_EQ(spec.labels.at(engine::kConfigHashLabel), "abc");
  ASSERT_EQ(spec.networks.size(), 2u);
  EXPECT_EQ(spec.networks[0].network, "shop_back") << "the highest priority carries the default route";
  EXPECT_THAT(spec.networks[0].aliases, testing::ElementsAre("web", "www"));
  EXPECT_THAT(spec.networks[1].aliases, testing::ElementsAre("web"));
}

TEST(Translate, KeepsEverySettingThatTheEngineKnows) {
  auto stack = small_stack();
  auto& web = stack.services["web"];
  web.environment = {{"A", "1"}};
  web.mounts = {{.type = compose::MountType::volume, .source = "data", .target = "/data", .read_only = true},
                {.type = compose::MountType::bind, .source = "/etc/x", .target = "/x", .create_host_path = true},
                {.type = compose::MountType::tmpfs, .target = "/tmp", .tmpfs_size = 1024}};
  web.ports = {{.host_ip = "::", .host_port = 53, .container_port = 5353, .protocol = compose::Protocol::udp}};
  web.healthcheck = compose::HealthCheck{.test = {"CMD-SHELL", "true"}, .interval = 2s, .retries = 9};
  web.restart = {.condition = compose::RestartCondition::on_failure, .maximum_retries = 4};
  web.limits.memory = 1 << 20;
  web.limits.pids = 50;
  web.security = {.read_only = true, .cap_add = {"NET_ADMIN"}};
  web.ulimits["nofile"] = {.soft = 10};
  web.logging = compose::Logging{.max_size = 4096, .max_files = 2};
  auto spec = container_spec(stack, web, 1, 1, "h");
  EXPECT_THAT(spec.environment, testing::ElementsAre("A=1"));
  ASSERT_EQ(spec.mounts.size(), 3u);
  EXPECT_EQ(spec.mounts[0].source, "shop_data");
  EXPECT_TRUE(spec.mounts[0].read_only);
  EXPECT_EQ(spec.mounts[1].type, engine::MountType::bind);
  EXPECT_TRUE(spec.mounts[1].create_source);
  EXPECT_EQ(spec.mounts[2].tmpfs_size, 1024u);
  ASSERT_EQ(spec.ports.size(), 1u);
  EXPECT_EQ(spec.ports[0].host_ip, "::");
  EXPECT_EQ(spec.ports[0].protocol, engine::Protocol::udp);
  ASSERT_TRUE(spec.health);
  EXPECT_EQ(spec.health->shell, "true");
  EXPECT_EQ(spec.health->interval, Duration(2s));
  EXPECT_EQ(spec.health->retries, 9);
  EXPECT_EQ(spec.restart.mode, engine::RestartMode::on_failure);
  EXPECT_EQ(spec.restart.max_retries, 4);
  EXPECT_EQ(spec.resources.memory, 1u << 20);
  EXPECT_EQ(spec.resources.pids, 50);
  EXPECT_TRUE(spec.read_only);
  EXPECT_THAT(spec.security.cap_add, testing::ElementsAre("NET_ADMIN"));
  ASSERT_EQ(spec.ulimits.size(), 1u);
  EXPECT_EQ(spec.ulimits[0].soft, 10u);
  EXPECT_EQ(spec.ulimits[0].hard, UINT64_MAX);
  EXPECT_EQ(spec.log.max_size, 4096u);
  EXPECT_EQ(spec.log.max_files, 2);
}

TEST(Translate, WhatIsSharedBecomesTheFirstReplicas) {
  auto stack = small_stack();
  auto& web = stack.services["web"];
  compose::Service side;
  side.name = "side";
  side.image = "side";
  side.network_mode = compose::NetworkMode::shared;
  side.sharing.network = {compose::ShareMode::service, "web"};
  side.sharing.pid.mode = compose::ShareMode::host;
  side.sharing.ipc = {compose::ShareMode::container, "outside"};
  side.links = {{"web", "www"}, {"other", "", false}};
  side.volumes_from = {{"web", true}};
  side.devices = {{"/dev/fuse", "", "r"}, {.source = "acme.com/gpu=0"}};
  side.limits.unlimited_swap = true;
  side.block_io = compose::BlockIo{.weight = 20};
  side.mounts = {{.type = compose::MountType::tmpfs, .target = "/t", .tmpfs_options = {{"exec", ""}, {"uid", "7"}}}};
  side.group_add = {"audio"};
  stack.services["side"] = side;
  auto spec = container_spec(stack, side, 1, 1, "h");
  EXPECT_TRUE(spec.networks.empty());
  EXPECT_EQ(spec.namespaces.network->container, "shop-web-1");
  EXPECT_EQ(spec.namespaces.pid->mode, engine::NamespaceMode::host);
  EXPECT_EQ(spec.namespaces.ipc->container, "outside");
  EXPECT_EQ(spec.links.at(0).container, "shop-web-1");
  EXPECT_EQ(spec.links.at(0).alias, "www");
  EXPECT_EQ(spec.links.at(1).container, "other");
  EXPECT_TRUE(spec.volumes_from.at(0).read_only);
  EXPECT_EQ(spec.devices.at(0).access, "r");
  EXPECT_THAT(spec.cdi_devices, testing::ElementsAre("acme.com/gpu=0"));
  EXPECT_EQ(spec.resources.memory_swap, engine::kUnlimited);
  EXPECT_EQ(spec.resources.block_io->weight, 20);
  EXPECT_THAT(spec.mounts.at(0).options, testing::ElementsAre("exec", "uid=7"));
  EXPECT_THAT(spec.group_add, testing::ElementsAre("audio"));
  auto before = wanted_hash(stack, side, "i");
  web.environment["NEW"] = "1";
  EXPECT_NE(wanted_hash(stack, stack.services["side"], "i"), before) << "who joins a container goes with it";
}

TEST(Translate, RefusesWhatTheEngineCannotHonourAllAtOnce) {
  auto stack = small_stack();
  require_supported(stack);
  stack.volumes["data"].driver = "convoy";
  stack.volumes["other"] = {.name = "shop_other", .driver = "flocker"};
  try {
    require_supported(stack);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unsupported);
    EXPECT_EQ(error.findings().size(), 2u);
  }
}

TEST(Translate, TheHashChangesWithEverythingAContainerIsMadeFrom) {
  auto stack = small_stack();
  auto& web = stack.services["web"];
  auto before = wanted_hash(stack, web, "sha256:1");
  EXPECT_EQ(wanted_hash(stack, web, "sha256:1"), before);
  EXPECT_NE(wanted_hash(stack, web, "sha256:2"), before);
  web.replicas = 5;
  EXPECT_EQ(wanted_hash(stack, web, "sha256:1"), before) << "scaling recreates nothing";
  stack.networks["back"].internal = false;
  EXPECT_NE(wanted_hash(stack, web, "sha256:1"), before);
}

}  // namespace
