#include <algorithm>
#include <set>
#include <sstream>

#include "fixture.h"

namespace gantry::runtime {
namespace {

using Change = std::function<void(Plan&)>;

struct Case {
  const char* name;
  Change change;
};

void PrintTo(const Case& tested, std::ostream* out) { *out << tested.name; }

class Difference : public RuntimeTest, public testing::WithParamInterface<Case> {
 protected:
  Difference() {
    std::filesystem::copy_file(GANTRY_PROBE, layer_ / "bin/probe");
    write_file(directory_.path() / "file", "x\n", 0644);
    make_directories(directory_.path() / "folder", 0755);
    std::filesystem::create_symlink("/var/elsewhere", layer_ / "link");
  }

  std::multiset<std::string> facts(Launcher launcher, const Change& change) {
    auto plan = plan_for(launcher, change);
    return normalized(output_of(plan), plan);
  }

  /// What a further process of a container finds.
  std::multiset<std::string> facts_of_exec(Launcher launcher, const Change& change) {
    auto plan = plan_for(launcher, change);
    plan.argv = {"/bin/sleep", "1000"};
    plan.tty = false;
    auto wanted = plan_for(launcher, change);
    ExecPlan exec{.argv = wanted.argv,
                  .environment = wanted.environment,
                  .working_dir = wanted.working_dir,
                  .uid = wanted.uid,
                  .gid = wanted.gid,
                  .groups = wanted.groups,
                  .tty = wanted.tty,
                  .no_new_privileges = wanted.no_new_privileges,
                  .capabilities = wanted.capabilities};
    std::string text;
    run([&]() -> task<> {
      co_await runtime_->create(plan);
      co_await runtime_->start(plan.id);
      auto process = co_await runtime_->exec(plan.id, exec);
      auto session = process->session();
      text = co_await read_all(*session);
      co_await process->wait();
      process.reset();
      co_await runtime_->remove(plan.id);
    });
    // crun 1.8 leaves it in the session of the shim, which has no terminal.
    if (launcher == Launcher::crun)
      replace(text, "leads=0 group-leads=0 terminal=0", "leads=1 group-leads=1 terminal=0");
    return normalized(text, plan);
  }

  void expect_equal(const std::multiset<std::string>& crun, const std::multiset<std::string>& native) {
    ASSERT_GT(crun.size(), 60u);
    std::vector<std::string> only_crun, only_native;
    std::ranges::set_difference(crun, native, std::back_inserter(only_crun));
    std::ranges::set_difference(native, crun, std::back_inserter(only_native));
    std::erase_if(only_native, [&](const std::string& line) {
      auto looser = as_crun_mounts_again(line);
      return looser != line && std::erase(only_crun, looser) > 0;
    });
    for (const auto& line : only_crun) ADD_FAILURE() << "crun only:   " << line;
    for (const auto& line : only_native) ADD_FAILURE() << "native only: " << line;
  }

 private:
  Plan plan_for(Launcher launcher, const Change& change) {
    auto plan = plan_of({"/bin/probe", "one", "two words"});
    plan.launcher = launcher;
    change(plan);
    for (auto& mount : plan.mounts)
      if (mount.kind == PlannedMount::Kind::bind) mount.source = (directory_.path() / mount.source).string();
    return plan;
  }

  // What is there already and is mounted again (hidden and read-only parts of /proc, the terminal as /dev/console, the
  // host's control groups) keeps the restrictions of its file system here. crun drops them. Never the other way round.
  static std::string as_crun_mounts_again(std::string line) {
    bool again = line.starts_with("mount /proc/") || line.starts_with("mount /dev/console ") ||
                 line.starts_with("mount /sys/fs/cgroup root=/ options=ro,");
    if (again)
      for (const auto* kept : {"nosuid,", "nodev,", "noexec,"}) replace(line, kept, "");
    return line;
  }

  // What must differ: names of this container. What may: see below, each with its reason.
  static std::multiset<std::string> normalized(const std::string& text, const Plan& plan) {
    std::multiset<std::string> out;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      line.erase(std::remove(line.begin(), line.end(), '\r'), line.end());
      replace(line, plan.id.str(), "<id>");
      out.insert(without_reasoned_differences(line));
    }
    return out;
  }

  static std::string without_reasoned_differences(std::string line) {
    // crun gets an empty pipe instead of /dev/null, since it would give that to the container's user on the host.
    if (line.starts_with("descriptor 0 ")) return "descriptor 0";
    // The same device of the host, whose owner is not mapped; crun 1.8 has changed it for /dev/null on older hosts.
    if (line.starts_with("dev /dev/null ")) line = line.substr(0, line.find(" owner="));
    // Without namespaces of its own a container sees the host's numbers, and the names of groups, which differ.
    if (line.starts_with("status NSpid:") && !line.ends_with("\t1")) return "NSpid of the host";
    if (line.starts_with("cgroup ") && line.find("/gantry-") != std::string::npos)
      line = line.substr(0, line.rfind('/')) + "/<id>";
    return line;
  }

  static void replace(std::string& text, const std::string& from, const std::string& to) {
    for (std::size_t at; (at = text.find(from)) != std::string::npos;) text.replace(at, from.size(), to);
  }
};

TEST_P(Difference, NoneBetweenTheLaunchers) {
  expect_equal(facts(Launcher::crun, GetParam().change), facts(Launcher::native, GetParam().change));
}

TEST_P(Difference, NoneBetweenFurtherProcesses) {
  expect_equal(facts_of_exec(Launcher::crun, GetParam().change), facts_of_exec(Launcher::native, GetParam().change));
}

const Case kCases[] = {
    {"defaults", [](Plan&) {}},
    {"terminal", [](Plan& p) { p.tty = true; }},
    {"read_only_root", [](Plan& p) { p.read_only_root = true; }},
    {"host_user_namespace", [](Plan& p) { p.user_namespace.reset(); }},
    {"privileged",
     [](Plan& p) {
       p.privileged = true;
       p.user_namespace.reset();
       p.no_new_privileges = false;
       p.capabilities = all_capabilities();
     }},
    {"host_namespaces",
     [](Plan& p) {
       constexpr NamespaceChoice kHost{.whose = NamespaceChoice::Whose::host};
       p.user_namespace.reset();
       p.namespaces = {.network = kHost, .pid = kHost, .ipc = kHost, .uts = kHost};
     }},
    {"host_control_groups",
     [](Plan& p) {
       p.user_namespace.reset();
       p.namespaces.cgroup.whose = NamespaceChoice::Whose::host;
       p.mounts = {{.source = "/sys/fs/cgroup", .target = "/sys/fs/cgroup", .read_only = true}};
     }},
    {"without_shared_memory", [](Plan& p) { p.own_shm = false; }},
    {"no_seccomp", [](Plan& p) { p.default_seccomp = false; }},
    {"may_gain_privileges", [](Plan& p) { p.no_new_privileges = false; }},
    {"more_capabilities",
     [](Plan& p) {
       p.capabilities.push_back("CAP_NET_ADMIN");
       p.capabilities.push_back("CAP_SYS_ADMIN");
     }},
    {"no_capabilities", [](Plan& p) { p.capabilities.clear(); }},
    {"user_with_groups",
     [](Plan& p) {
       p.uid = 1000;
       p.gid = 1001;
       p.groups = {5, 7, 1002};
     }},
    {"working_directory_is_made", [](Plan& p) { p.working_dir = "/srv/new/place"; }},
    {"init", [](Plan& p) { p.init = true; }},
    {"unmasked", [](Plan& p) { p.mask_paths = false; }},
    {"shm_and_hostname",
     [](Plan& p) {
       p.shm_size = 1 << 20;
       p.hostname = "another";
     }},
    {"sysctls",
     [](Plan& p) {
       p.sysctls = {{"kernel.msgmax", "4096"}, {"net.ipv4.ip_unprivileged_port_start", "99"}};
     }},
    {"limits",
     [](Plan& p) {
       p.rlimits = {{.name = "RLIMIT_NOFILE", .soft = 100, .hard = 200}, {.name = "RLIMIT_CORE", .soft = 0, .hard = 0}};
     }},
    {"resources",
     [](Plan& p) {
       p.memory = 64u << 20;
       p.cpus = 0.5;
       p.cpu_shares = 512;
       p.pids = 50;
       p.cpuset = "0";
     }},
    {"names_and_scores",
     [](Plan& p) {
       p.domain_name = "example.org";
       p.oom_score_adj = 200;
     }},
    {"devices",
     [](Plan& p) {
       p.devices = {{.source = "/dev/net/tun", .target = "/dev/net/tun", .access = "rwm"},
                    {.source = "/dev/fuse", .target = "/dev/other/fuse", .access = "r"}};
     }},
    {"other_hidden_paths",
     [](Plan& p) {
       p.masked_paths = {"/proc/interrupts", "/sys/firmware", "/not/there"};
       p.readonly_paths = {"/proc/sys"};
     }},
    {"own_seccomp_profile",
     [](Plan& p) {
       p.seccomp_profile =
           R"({"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["reboot"],"action":"SCMP_ACT_ERRNO"}]})";
     }},
    {"block_io_and_scheduler",
     [](Plan& p) {
       p.cpu_quota = 20000;
       p.cpu_period = 40000;
       p.cpuset_mems = "0";
       p.memory = 64u << 20;
       p.memory_swappiness = 20;
     }},
    {"manners_of_mounts",
     [](Plan& p) {
       p.mounts = {{.source = "folder", .target = "/deep", .read_only = true},
                   {.source = "folder", .target = "/top", .read_only = true, .read_only_recursive = false},
                   {.source = "folder", .target = "/alone", .recursive = false},
                   {.kind = PlannedMount::Kind::tmpfs, .target = "/runs", .options = {"exec", "uid=7", "noatime"}}};
     }},
    {"mounts",
     [](Plan& p) {
       p.mounts = {{.source = "file", .target = "/etc/one", .read_only = true},
                   {.source = "file", .target = "/new/below/two"},
                   {.source = "folder", .target = "/data"},
                   {.source = "folder", .target = "/data/inner", .read_only = true},
                   {.kind = PlannedMount::Kind::tmpfs, .target = "/scratch", .size = 1u << 20, .mode = 0700},
                   {.kind = PlannedMount::Kind::tmpfs, .target = "/quiet", .read_only = true}};
     }},
};

INSTANTIATE_TEST_SUITE_P(Each, Difference, testing::ValuesIn(kCases),
                         [](const auto& tested) { return tested.param.name; });

// A link in the image leads to a place in the image, whatever it says.
TEST_F(RuntimeTest, AMountTargetBehindALinkStaysInside) {
  auto outside = directory_.path() / "outside";
  make_directories(outside);
  make_directories(layer_ / outside.relative_path());
  make_directories(layer_ / "srv");
  std::filesystem::create_symlink(outside, layer_ / "absolute");
  std::filesystem::create_symlink("../../../../../../srv", layer_ / "up");
  write_file(directory_.path() / "file", "content\n", 0644);
  for (auto launcher : {Launcher::crun, Launcher::native}) {
    auto plan = shell("cat /absolute/file /up/file");
    plan.launcher = launcher;
    plan.mounts = {{.source = (directory_.path() / "file").string(), .target = "/absolute/file"},
                   {.source = (directory_.path() / "file").string(), .target = "/up/file"}};
    EXPECT_EQ(output_of(plan), "content\ncontent\n") << static_cast<int>(launcher);
    EXPECT_TRUE(std::filesystem::is_empty(outside));
  }
}

}  // namespace
}  // namespace gantry::runtime
