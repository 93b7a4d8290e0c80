#include "spec.h"

#include <gmock/gmock.h>

#include "gantry/base/json.h"
#include "plan_file.h"

namespace gantry::runtime {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

Plan basic_container() {
  Plan plan;
  plan.id = ContainerId(std::string(64, 'a'));
  plan.argv = {"/bin/true"};
  plan.hostname = "box";
  plan.user_namespace = IdRange{.host = 100000, .size = 65536};
  plan.capabilities = default_capabilities();
  plan.layers = {"/data/l0", "/data/l1"};
  plan.upper = "/data/c/upper";
  plan.work = "/data/c/work";
  return plan;
}

oci::runtime::Spec spec_of(const Plan& plan) { return make_spec(plan, {.cgroups_path = "/gantry-x/y"}); }

std::string text_of(const Plan& plan) { return json::to_text(spec_of(plan)); }

struct Case {
  const char* name;
  std::function<void(Plan&)> change;
  std::vector<std::string> present;
  std::vector<std::string> absent;
};

class SpecCases : public testing::TestWithParam<Case> {};

TEST_P(SpecCases, Text) {
  auto plan = basic_container();
  GetParam().change(plan);
  auto text = text_of(plan);
  for (const auto& part : GetParam().present) EXPECT_THAT(text, HasSubstr(part));
  for (const auto& part : GetParam().absent) EXPECT_THAT(text, Not(HasSubstr(part)));
}

const Case kCases[] = {
    {"defaults",
     [](Plan&) {},
     {R"("path":"/mnt/r","readonly":false)", R"("noNewPrivileges":true)", R"({"type":"user"})",
      R"("uidMappings":[{"containerID":0,"hostID":100000,"size":65536}])", R"("cgroupsPath":"/gantry-x/y")",
      R"("defaultAction":"SCMP_ACT_ERRNO")", R"("/proc/kcore")", R"("readonlyPaths":["/proc/bus")",
      R"("net.ipv4.ip_unprivileged_port_start":"0")", R"("net.ipv4.ping_group_range":"0 65535")", "size=67108864"},
     {R"("memory":)", R"("cpu":)", R"("pids":{)", "CAP_SYS_ADMIN"}},
    {"host_user_namespace",
     [](Plan& plan) {
       plan.user_namespace.reset();
       plan.capabilities.clear();
     },
     {R"("uidMappings":[])", R"("0 2147483647")"},
     {R"({"type":"user"})"}},
    {"privileged",
     [](Plan& plan) {
       plan.privileged = true;
       plan.no_new_privileges = false;
     },
     {R"("maskedPaths":[])", R"("readonlyPaths":[])", R"({"allow":true,"access":"rwm"})", R"("noNewPrivileges":false)"},
     {"seccomp", R"("/proc/kcore")"}},
    {"no_seccomp", [](Plan& plan) { plan.default_seccomp = false; }, {R"("/proc/kcore")"}, {"SCMP"}},
    {"unmasked", [](Plan& plan) { plan.mask_paths = false; }, {"SCMP"}, {R"("/proc/kcore")"}},
    {"init",
     [](Plan& plan) { plan.init = true; },
     {R"("args":["/dev/init","--","/bin/true"])", R"("destination":"/dev/init","type":"bind","source":"/mnt/m/0")"},
     {}},
    {"limits",
     [](Plan& plan) {
       plan.memory = 1024;
       plan.memory_swap = 2048;
       plan.cpus = 1.5;
       plan.cpu_shares = 512;
       plan.cpuset = "0-1";
       plan.pids = 7;
       plan.shm_size = 99;
     },
     {R"("memory":{"limit":1024,"swap":2048})", R"("cpu":{"shares":512,"quota":150000,"period":100000,"cpus":"0-1"})",
      R"("pids":{"limit":7})", "size=99"},
     {}},
    {"user",
     [](Plan& plan) {
       plan.uid = 5;
       plan.gid = 6;
       plan.groups = {7, 8};
       plan.working_dir = "/srv";
       plan.tty = true;
     },
     {R"("user":{"uid":5,"gid":6,"additionalGids":[7,8]})", R"("cwd":"/srv")", R"("terminal":true)"},
     {}},
    {"mounts",
     [](Plan& plan) {
       plan.mounts = {{.kind = PlannedMount::Kind::tmpfs, .target = "/t", .size = 4096, .mode = 0755},
                      {.source = "/a", .target = "/x", .read_only = true},
                      {.source = "/b", .target = "/y"}};
     },
     {R"("destination":"/t","type":"tmpfs","source":"tmpfs","options":["nosuid","nodev","noexec","mode=755","size=4096"])",
      R"("destination":"/x","type":"bind","source":"/mnt/m/0","options":["rbind","rprivate","ro"])",
      R"("destination":"/y","type":"bind","source":"/mnt/m/1","options":["rbind","rprivate","rw"])"},
     {}},
    {"sysctls",
     [](Plan& plan) {
       plan.sysctls = {{"net.core.somaxconn", "9"}, {"net.ipv4.ip_unprivileged_port_start", "80"}};
     },
     {R"("net.core.somaxconn":"9")", R"("net.ipv4.ip_unprivileged_port_start":"80")"},
     {}},
    {"read_only", [](Plan& plan) { plan.read_only_root = true; }, {R"("readonly":true)"}, {}},
};

INSTANTIATE_TEST_SUITE_P(All, SpecCases, testing::ValuesIn(kCases),
                         [](const auto& tested) { return tested.param.name; });

TEST(Spec, RefusesNothingToRun) {
  auto plan = basic_container();
  plan.argv.clear();
  EXPECT_THROW(spec_of(plan), Error);
}

TEST(Spec, RefusesUnknownNames) {
  auto plan = basic_container();
  plan.capabilities = {"CAP_EVERYTHING"};
  EXPECT_THROW(spec_of(plan), Error);
  plan = basic_container();
  plan.rlimits = {{.name = "RLIMIT_SKY", .soft = 1, .hard = 1}};
  EXPECT_THROW(effective_limits(plan, true), Error);
}

TEST(Spec, LimitsAreLoweredNotRefused) {
  auto plan = basic_container();
  plan.rlimits = {{.name = "RLIMIT_NOFILE", .soft = ~0ull, .hard = ~0ull}};
  auto limits = effective_limits(plan, false);
  ASSERT_EQ(limits.size(), 1u);
  EXPECT_LT(limits[0].hard, ~0ull);
  EXPECT_LE(limits[0].soft, limits[0].hard);
}

TEST(Spec, Capabilities) {
  EXPECT_EQ(default_capabilities().size(), 14u);
  auto all = all_capabilities();
  EXPECT_EQ(all[0], "CAP_CHOWN");
  EXPECT_THAT(all, Contains("CAP_SYS_ADMIN"));
}

TEST(PlanFile, BindsInTheOrderOfTheSpec) {
  auto plan = basic_container();
  plan.init = true;
  plan.mounts = {{.source = "/a", .target = "/x"},
                 {.kind = PlannedMount::Kind::tmpfs, .target = "/t"},
                 {.source = "/b", .target = "/y", .id_mapped = false}};
  Config config{.crun = "/usr/bin/crun", .init = "/usr/bin/catatonit"};
  plan.launcher = Launcher::crun;
  auto text = container_plan(plan, config, {"/sys/fs/cgroup/memory/g/c"}, {}).take();
  for (char& c : text)
    if (c == 0) c = ' ';
  EXPECT_THAT(text, HasSubstr("bind ri /a bind r /b bind ro /usr/bin/catatonit "));
  EXPECT_THAT(text, HasSubstr("layer /data/l0 layer /data/l1 "));
  EXPECT_THAT(text, HasSubstr("map 100000 65536 "));
  EXPECT_THAT(text, HasSubstr("owner 100000 100000 "));
}

TEST(PlanFile, RefusesIdsOutsideTheNamespace) {
  auto plan = basic_container();
  plan.uid = 70000;
  EXPECT_THROW(container_plan(plan, {}, {}, {}), Error);
}

TEST(PlanFile, RefusesNulInPaths) {
  auto plan = basic_container();
  plan.mounts = {{.source = std::string("/a\0b", 4), .target = "/x"}};
  EXPECT_THROW(container_plan(plan, {}, {}, {}), Error);
}

}  // namespace
}  // namespace gantry::runtime
