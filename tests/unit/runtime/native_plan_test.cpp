#include "native_plan.h"

#include <gmock/gmock.h>
#include <linux/filter.h>

#include "seccomp_filter.h"
#include "seccomp_profile.h"
#include "spec.h"

namespace gantry::runtime {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr char kVersion1[] =
    "cgroup /sys/fs/cgroup/memory cgroup rw,nosuid,nodev,noexec,relatime,memory 0 0\n"
    "cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0\n"
    "cgroup /sys/fs/cgroup/devices cgroup rw,relatime,devices 0 0\n"
    "cgroup /sys/fs/cgroup/systemd cgroup rw,xattr,release_agent=/usr/lib/agent,name=systemd 0 0\n";
constexpr char kVersion2[] = "cgroup2 /sys/fs/cgroup cgroup2 rw,nosuid,nodev,noexec,relatime,nsdelegate 0 0\n";

Plan basic() {
  Plan plan;
  plan.id = ContainerId("0123456789ab");
  plan.argv = {"sh", "-c", "true"};
  plan.environment = {"PATH=/bin"};
  plan.user_namespace = IdRange{.host = 100000};
  plan.capabilities = default_capabilities();
  return plan;
}

std::string readable(std::string words) {
  for (char& c : words)
    if (c == 0) c = ' ';
  return words;
}

std::vector<std::string> texts(const std::vector<CgroupSetting>& settings) {
  std::vector<std::string> out;
  for (const auto& setting : settings) out.push_back(setting.file.string() + "=" + setting.value);
  return out;
}

oci::runtime::Resources limits() {
  oci::runtime::Resources out;
  out.memory = oci::runtime::Memory{.limit = 1000, .reservation = 500, .swap = 1500};
  out.cpu = oci::runtime::Cpu{.shares = 1024, .quota = 50000, .period = 100000};
  return out;
}

TEST(CgroupSettings, Version1GoesToTheHierarchyOfTheController) {
  CgroupTree tree("ab", kVersion1);
  auto got = texts(tree.settings("g", limits()));
  EXPECT_THAT(got, testing::ElementsAre("/sys/fs/cgroup/memory/gantry-ab/g/memory.limit_in_bytes=1000",
                                        "/sys/fs/cgroup/memory/gantry-ab/g/memory.memsw.limit_in_bytes=1500",
                                        "/sys/fs/cgroup/memory/gantry-ab/g/memory.soft_limit_in_bytes=500",
                                        "/sys/fs/cgroup/cpu,cpuacct/gantry-ab/g/cpu.shares=1024",
                                        "/sys/fs/cgroup/cpu,cpuacct/gantry-ab/g/cpu.cfs_period_us=100000",
                                        "/sys/fs/cgroup/cpu,cpuacct/gantry-ab/g/cpu.cfs_quota_us=50000"));
  oci::runtime::Resources pids;
  pids.pids = oci::runtime::Pids{.limit = 3};
  EXPECT_THROW(tree.settings("g", pids), Error);  // no such hierarchy here
}

TEST(CgroupSettings, Version2CountsSwapAlone) {
  CgroupTree tree("ab", kVersion2);
  EXPECT_TRUE(tree.is_version2());
  auto got = texts(tree.settings("g", limits()));
  const std::string group = "/sys/fs/cgroup/gantry-ab/g/";
  EXPECT_THAT(got,
              testing::ElementsAre(group + "memory.max=1000", group + "memory.swap.max=500", group + "memory.low=500",
                                   group + "cpu.weight=39", group + "cpu.max=50000 100000"));
}

TEST(CgroupTree, AGroupMadeAheadIsTheContainersOnceBound) {
  CgroupTree tree("ab", kVersion2);
  ContainerId id("0123456789ab");
  EXPECT_EQ(tree.path_of(id), "/gantry-ab/0123456789ab");
  tree.bind(id, "standby-1");
  EXPECT_EQ(tree.path_of(id), "/gantry-ab/standby-1");
  EXPECT_TRUE(tree.is_bound("standby-1"));
  tree.forget(id);
  EXPECT_EQ(tree.path_of(id), "/gantry-ab/0123456789ab");
}

TEST(NativePlan, WhatIsCommonDoesNotNameTheContainer) {
  CgroupTree tree("ab", kVersion1);
  auto one = basic();
  auto other = basic();
  other.argv = {"sleep"};
  other.shm_size = 4096;
  other.read_only_root = true;
  other.memory = 1 << 20;
  other.mounts = {{.kind = PlannedMount::Kind::tmpfs, .target = "/t"}};
  EXPECT_EQ(common_words(make_spec(one, {}), tree), common_words(make_spec(other, {}), tree));
  auto unmasked = basic();
  unmasked.mask_paths = false;
  EXPECT_NE(common_words(make_spec(one, {}), tree), common_words(make_spec(unmasked, {}), tree));
  auto privileged = basic();
  privileged.privileged = true;
  EXPECT_NE(common_words(make_spec(one, {}), tree), common_words(make_spec(privileged, {}), tree));
}

TEST(NativePlan, HasTheContainersOwnPart) {
  CgroupTree tree("ab", kVersion1);
  auto plan = basic();
  plan.read_only_root = true;
  plan.memory = 1 << 20;
  plan.mounts = {{.kind = PlannedMount::Kind::tmpfs, .target = "/t"},
                 {.source = "/a", .target = "/x", .read_only = true}};
  Words words;
  add_native(words, make_spec(plan, {}), tree, "g", "/run/filter");
  auto text = readable(words.take());
  EXPECT_THAT(text, HasSubstr("read-only-root seccomp /run/filter "));
  EXPECT_THAT(text, HasSubstr("mount bind /x 1 0 "));
  EXPECT_THAT(text, HasSubstr("memory/gantry-ab/g/memory.limit_in_bytes 1048576 "));
  EXPECT_THAT(text, HasSubstr("arg sh arg -c arg true env PATH=/bin "));
  EXPECT_THAT(text, Not(HasSubstr("mount proc")));
}

TEST(SeccompFilter, CompilesToAProgramThatEndsInAReturn) {
  auto program = compile_filter(default_seccomp(default_capabilities()));
  ASSERT_EQ(program.size() % sizeof(sock_filter), 0u);
  auto count = program.size() / sizeof(sock_filter);
  EXPECT_GT(count, 100u);
  EXPECT_LT(count, static_cast<std::size_t>(BPF_MAXINSNS));
  EXPECT_NE(program, compile_filter(default_seccomp(all_capabilities())));
}

TEST(SeccompFilter, RefusesWhatItDoesNotKnow) {
  oci::runtime::Seccomp profile{.defaultAction = "SCMP_ACT_WHATEVER"};
  EXPECT_THROW(compile_filter(profile), Error);
  profile.defaultAction = "SCMP_ACT_ALLOW";
  profile.architectures = {"SCMP_ARCH_NONE"};
  EXPECT_THROW(compile_filter(profile), Error);
}

}  // namespace
}  // namespace gantry::runtime
