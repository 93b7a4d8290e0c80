#include "plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "container_files.h"
#include "gantry/base/error.h"
#include "id_range.h"

namespace gantry::engine {
namespace {

using testing::Contains;
using testing::ElementsAre;

Record record() {
  Record out;
  out.info.id = ContainerId(std::string(64, 'a'));
  out.info.spec.name = "web";
  out.internals.resolved.argv = {"/bin/true"};
  out.internals.resolved.working_dir = "/srv";
  out.internals.id_slot = 3;
  return out;
}

PlanInputs inputs() {
  PlanInputs out;
  out.layers = {"/l/1", "/l/2"};
  out.user = {.uid = 10, .gid = 20, .groups = {30}, .home = "/home/app"};
  out.paths.root = "/data/containers/a";
  out.capabilities = {{"CAP_CHOWN", "CAP_KILL"}, {"CAP_CHOWN", "CAP_KILL", "CAP_NET_ADMIN", "CAP_SYS_ADMIN"}};
  return out;
}

TEST(Plan, TheDefaultsIsolate) {
  auto plan = make_plan(record(), inputs());
  ASSERT_TRUE(plan.user_namespace);
  EXPECT_EQ(plan.user_namespace->host, 0x70030000u);
  EXPECT_EQ(plan.user_namespace->size, 65536u);
  EXPECT_TRUE(plan.default_seccomp);
  EXPECT_TRUE(plan.no_new_privileges);
  EXPECT_TRUE(plan.mask_paths);
  EXPECT_THAT(plan.capabilities, ElementsAre("CAP_CHOWN", "CAP_KILL"));
}

TEST(Plan, PrivilegedMeansTheHostsNamespaceAndNothingMasked) {
  auto privileged = record();
  privileged.info.spec.security.privileged = true;
  privileged.internals.id_slot.reset();
  auto plan = make_plan(privileged, inputs());
  EXPECT_FALSE(plan.user_namespace);
  EXPECT_FALSE(plan.default_seccomp || plan.no_new_privileges || plan.mask_paths);
  EXPECT_EQ(plan.capabilities.size(), 4u);
  for (const auto& mount : plan.mounts) EXPECT_FALSE(mount.id_mapped);
}

TEST(Plan, WhatIsMissingInTheEnvironmentIsAdded) {
  auto with_own = record();
  with_own.internals.resolved.environment = {"PATH=/mine"};
  auto plan = make_plan(with_own, inputs());
  EXPECT_THAT(plan.environment, Contains("PATH=/mine"));
  EXPECT_THAT(plan.environment, Contains("HOME=/home/app"));
  EXPECT_THAT(plan.environment, Contains("HOSTNAME=aaaaaaaaaaaa"));
}

TEST(Plan, MountsVolumesAndTheEnginesOwnFiles) {
  auto mounted = record();
  mounted.internals.resolved.mounts = {
      {.type = MountType::bind, .source = "/h", .target = "/etc/hosts"},
      {.type = MountType::volume, .source = "v", .target = "/data", .read_only = true}};
  auto in = inputs();
  in.volume_paths["v"] = "/volumes/v/data";
  auto plan = make_plan(mounted, in);
  ASSERT_EQ(plan.mounts.size(), 4u);
  EXPECT_EQ(plan.mounts[0].target, "/etc/hostname");
  EXPECT_EQ(plan.mounts[2].source, "/h");
  EXPECT_EQ(plan.mounts[3].source, "/volumes/v/data");
  EXPECT_TRUE(plan.mounts[3].read_only);
}

TEST(Plan, AnExecGetsTheContainersEnvironmentAndCapabilities) {
  ExecSpec spec{.argv = {"id"}, .environment = {"A=1"}};
  auto plan = make_exec_plan(record(), spec, inputs().user, inputs().capabilities);
  EXPECT_THAT(plan.environment, Contains("A=1"));
  EXPECT_EQ(plan.working_dir, "/srv");
  EXPECT_EQ(plan.capabilities.size(), 2u);
  spec.privileged = true;
  EXPECT_EQ(make_exec_plan(record(), spec, inputs().user, inputs().capabilities).capabilities.size(), 4u);
}

TEST(Capabilities, AddAndDrop) {
  CapabilityBase base = inputs().capabilities;
  EXPECT_THAT(final_capabilities({.cap_add = {"net_admin"}, .cap_drop = {"CAP_KILL"}}, base),
              ElementsAre("CAP_CHOWN", "CAP_NET_ADMIN"));
  EXPECT_THAT(final_capabilities({.cap_add = {"KILL"}, .cap_drop = {"ALL"}}, base), ElementsAre("CAP_KILL"));
  EXPECT_THAT(final_capabilities({.cap_add = {"ALL"}, .cap_drop = {"SYS_ADMIN"}}, base),
              ElementsAre("CAP_CHOWN", "CAP_KILL", "CAP_NET_ADMIN"));
  EXPECT_THROW(final_capabilities({.cap_add = {"NET_ADMON"}}, base), Error);
}

TEST(OptOuts, NamesEachOne) {
  EXPECT_TRUE(opt_outs({}).empty());
  ContainerSpec spec;
  spec.security = {.user_namespace = UserNamespace::host, .seccomp = Seccomp::unconfined, .cap_add = {"CAP_NET_ADMIN"}};
  EXPECT_THAT(opt_outs(spec), ElementsAre("userns=host", "seccomp=unconfined", "cap_add=NET_ADMIN"));
}

TEST(OptOuts, NamespacesOfOthersBringTheUserNamespaceWithThem) {
  ContainerSpec spec;
  spec.namespaces.pid = Namespace{.mode = NamespaceMode::host};
  EXPECT_THAT(opt_outs(spec), ElementsAre("pid=host", "userns=host"));
  spec.namespaces.pid = Namespace{.mode = NamespaceMode::container, .container = "0123456789abcdef"};
  EXPECT_THAT(opt_outs(spec), ElementsAre("pid=container:0123456789ab"));
}

TEST(IdRange, SlotsAreReusedAndEndBelowSystemdsForeignRange) {
  auto first = choose_id_slot({}, "a");
  EXPECT_EQ(choose_id_slot({}, "a"), first);
  EXPECT_NE(choose_id_slot({first}, "a"), first);
  EXPECT_EQ(id_range(kIdSlots).host, 0x7ffe0000u);
  std::set<std::int64_t> all;
  for (std::int64_t i = 0; i < kIdSlots; ++i) all.insert(i);
  EXPECT_THROW(choose_id_slot(all, "a"), Error);
}

TEST(HostsFile, NamesTheContainerAndExtraHosts) {
  auto info = record().info;
  info.spec.extra_hosts = {"db:10.0.0.9", "host:host-gateway"};
  std::vector<NetworkAddress> addresses = {{.ipv4 = "10.1.0.2", .gateway = "10.1.0.1"}};
  auto text = hosts_text(info, addresses);
  EXPECT_NE(text.find("10.1.0.2\taaaaaaaaaaaa\n"), std::string::npos);
  EXPECT_NE(text.find("10.0.0.9\tdb\n"), std::string::npos);
  EXPECT_NE(text.find("10.1.0.1\thost\n"), std::string::npos);
}

TEST(HostsFile, ALinkIsTakenOutAndNothingElse) {
  Link gone{std::string(64, 'b'), "db"}, kept{std::string(64, 'b'), "db2"};
  auto text = "10.0.0.9\tdb\n" + linked_line("10.1.0.3", gone, "store") + linked_line("10.1.0.3", kept, "db2") +
              "# db bbbbbbbbbbbb\n";
  EXPECT_EQ(text, "10.0.0.9\tdb\n10.1.0.3\tdb bbbbbbbbbbbb store\n10.1.0.3\tdb2 bbbbbbbbbbbb\n# db bbbbbbbbbbbb\n");
  EXPECT_EQ(hosts_unlinked(text, gone), "10.0.0.9\tdb\n10.1.0.3\tdb2 bbbbbbbbbbbb\n# db bbbbbbbbbbbb\n");
}

}  // namespace
}  // namespace gantry::engine
