#include <unistd.h>

#include <algorithm>
#include <set>

#include "fixture.h"

// Namespaces that are the host's or another container's.
namespace gantry::runtime {
namespace {

using Whose = NamespaceChoice::Whose;

std::string namespace_of(pid_t pid, const char* type) {
  char text[64] = "";
  auto path = "/proc/" + std::to_string(pid) + "/ns/" + type;
  if (::readlink(path.c_str(), text, sizeof text - 1) < 0) return {};
  return text;
}

class Sharing : public RuntimeTest {
 protected:
  /// Runs `script` in a container that joins what `choose` takes of one that runs.
  std::string joining(const std::string& script, const std::function<void(Plan&, pid_t)>& choose,
                      const std::string& lender_script = "hostname lender; sleep 100") {
    auto lender = shell(lender_script);
    for (const char* name : {"CAP_SYS_ADMIN", "CAP_NET_ADMIN"}) lender.capabilities.emplace_back(name);
    auto plan = shell(script);
    run([&]() -> task<> {
      auto made = co_await runtime_->create(lender);
      co_await runtime_->start(lender.id);
      plan.namespaces.user = {.whose = Whose::joined, .pid = made.pid};
      choose(plan, made.pid);
      co_await run_to_end(plan);
      co_await runtime_->kill_all(lender.id);
      co_await runtime_->wait(lender.id);
      co_await runtime_->remove(lender.id);
    });
    return log_of(plan);
  }
};

TEST_F(Sharing, EachOfTheHosts) {
  auto plan = shell(
      "for kind in net pid ipc uts cgroup; do readlink /proc/self/ns/$kind; done; cat /proc/sys/kernel/hostname; "
      "ls /sys/class/net");
  plan.user_namespace.reset();
  auto& shared = plan.namespaces;
  shared.network = shared.pid = shared.ipc = shared.uts = shared.cgroup = {.whose = Whose::host};
  plan.own_shm = false;
  plan.mounts = {{.source = "/dev/shm", .target = "/dev/shm"},
                 {.source = "/sys/fs/cgroup", .target = "/sys/fs/cgroup", .read_only = true}};
  std::string expected;
  for (const char* kind : {"net", "pid", "ipc", "uts", "cgroup"}) expected += namespace_of(::getpid(), kind) + "\n";
  char name[256] = "";
  ::gethostname(name, sizeof name - 1);
  auto links = [] {
    std::set<std::string> out;
    for (const auto& link : std::filesystem::directory_iterator("/sys/class/net")) out.insert(link.path().filename());
    return out;
  };
  auto before = links();
  auto seen = output_of(plan);
  // Others make and remove links meanwhile.
  std::set<std::string> stayed;
  std::ranges::set_intersection(before, links(), std::inserter(stayed, stayed.end()));
  EXPECT_TRUE(seen.starts_with(expected + name + "\n")) << seen;
  EXPECT_TRUE(stayed.contains("lo"));
  for (const auto& link : stayed) EXPECT_NE(seen.find("\n" + link + "\n"), std::string::npos) << link << " in " << seen;
}

TEST_F(Sharing, AnExecIsWhereTheContainerIs) {
  auto plan = shell("sleep 100");
  plan.user_namespace.reset();
  plan.namespaces.pid = plan.namespaces.network = {.whose = Whose::host};
  std::string text;
  run([&]() -> task<> {
    co_await runtime_->create(plan);
    co_await runtime_->start(plan.id);
    ExecPlan exec{.argv = {"/bin/sh", "-c", "readlink /proc/self/ns/pid; readlink /proc/self/ns/net"},
                  .environment = {"PATH=/bin"}};
    exec.working_dir = "/";
    auto process = co_await runtime_->exec(plan.id, exec);
    auto session = process->session();
    text = co_await read_all(*session);
    co_await process->wait();
    co_await runtime_->kill_all(plan.id);
    co_await runtime_->wait(plan.id);
    co_await runtime_->remove(plan.id);
  });
  EXPECT_EQ(text, namespace_of(::getpid(), "pid") + "\n" + namespace_of(::getpid(), "net") + "\n");
}

TEST_F(Sharing, TheNetworkOfAnother) {
  auto text = joining("cat /proc/sys/net/ipv4/ip_default_ttl; ls /sys/class/net; id -u; hostname",
                      [](Plan& plan, pid_t pid) { plan.namespaces.network = {.whose = Whose::joined, .pid = pid}; });
  EXPECT_EQ(text, "64\nlo\n0\nbox\n");
}

TEST_F(Sharing, TheSocketsOfAnother) {
  auto text = joining(
      "for i in $(seq 50); do nc 127.0.0.1 7000 && break; sleep 0.1; done",
      [](Plan& plan, pid_t pid) { plan.namespaces.network = {.whose = Whose::joined, .pid = pid}; },
      "ip link set lo up; while true; do echo hello | nc -l -p 7000; done");
  EXPECT_TRUE(text.starts_with("hello\n")) << text;
}

TEST_F(Sharing, TheProcessesOfAnother) {
  auto text = joining("ps | grep -c '[s]leep 100'; readlink /proc/self | grep -qx 1 || echo not the first",
                      [](Plan& plan, pid_t pid) { plan.namespaces.pid = {.whose = Whose::joined, .pid = pid}; });
  EXPECT_EQ(text, "1\nnot the first\n");
}

TEST_F(Sharing, TheMemoryOfAnother) {
  auto text = joining(
      "for i in $(seq 50); do cat /dev/shm/note 2>/dev/null && break; sleep 0.1; done; touch /dev/shm/x && echo "
      "writable",
      [](Plan& plan, pid_t pid) {
        plan.namespaces.ipc = {.whose = Whose::joined, .pid = pid};
        plan.own_shm = false;
        plan.mounts = {{.source = "/dev/shm", .target = "/dev/shm", .id_mapped = false, .seen_by = pid}};
      },
      "echo from the other > /dev/shm/note; sleep 100");
  EXPECT_EQ(text, "from the other\nwritable\n");
}

TEST_F(Sharing, WithoutSharedMemory) {
  auto plan = shell("test -e /dev/shm || echo none");
  plan.own_shm = false;
  EXPECT_EQ(output_of(plan), "none\n");
}

TEST_F(Sharing, OneThatHasGoneIsRefusedAndNothingStays) {
  auto plan = shell("true");
  plan.namespaces.network = {.whose = Whose::joined, .pid = 4'000'000};
  run([&]() -> task<> {
    try {
      co_await runtime_->create(plan);
      ADD_FAILURE() << "created";
    } catch (const Error& error) {
      EXPECT_FALSE(error.message().empty());
    }
  });
}

}  // namespace
}  // namespace gantry::runtime
