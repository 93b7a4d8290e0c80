#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "fixture.h"

// Known ways out of a container, each tried from inside and found shut, under both launchers.
namespace gantry::runtime {
namespace {

class Escape : public RuntimeTest, public testing::WithParamInterface<Launcher> {
 protected:
  Plan script(const std::string& text) {
    auto plan = shell(text);
    plan.launcher = GetParam();
    return plan;
  }
  /// Root of the host's user namespace, with nothing but the default capabilities: the most that is not privileged.
  Plan as_host_root(const std::string& text) {
    auto plan = script(text);
    plan.user_namespace.reset();
    return plan;
  }
  /// Whether the plan's program wrote "escaped"; not being started at all is fine.
  bool escapes(const Plan& plan) {
    run([&]() -> task<> {
      try {
        co_await run_to_end(plan);
      } catch (const Error&) {
        refused_ = true;
      }
      if (refused_) co_await runtime_->remove(plan.id);
      refused_ = false;
    });
    return log_of(plan).find("escaped") != std::string::npos;
  }

  bool refused_ = false;
};

// CVE-2019-5736: the program that launches, or the shim, is overwritten through /proc/<pid>/exe.
TEST_P(Escape, NoExecutableOfOursCanBeWritten) {
  auto plan = as_host_root("sleep 1000");
  run([&]() -> task<> {
    co_await runtime_->create(plan);
    co_await runtime_->start(plan.id);
    ExecPlan attack;
    attack.argv = {"/bin/sh", "-c",
                   "for p in /proc/[0-9]*; do case $(readlink $p/exe) in /bin/busybox) ;; *) "
                   "(echo x >> $p/exe) 2>/dev/null && echo written $p;; esac; done; ls /proc | grep -c '^[0-9]'"};
    attack.environment = {"PATH=/bin"};
    attack.working_dir = "/";
    attack.capabilities = default_capabilities();
    auto process = co_await runtime_->exec(plan.id, attack);
    auto session = process->session();
    auto out = co_await read_all(*session);
    co_await process->wait();
    EXPECT_EQ(out.find("written"), std::string::npos) << out;
    process.reset();
    co_await runtime_->remove(plan.id);
  });
}

TEST_P(Escape, OnlyStandardDescriptorsAreInherited) {
  auto plan = as_host_root("ls /proc/self/fd | wc -l; ls -l /proc/1/fd | grep -c -v -e pipe: -e /dev/null -e total");
  auto text = output_of(plan);
  // 0, 1, 2 and the directory that ls reads.
  EXPECT_TRUE(text.starts_with("4\n")) << text;
}

// CVE-2024-21626: a working directory that is a descriptor left open.
TEST_P(Escape, AWorkingDirectoryThroughADescriptorIsRefused) {
  for (int number : {3, 5, 7, 8, 10, 12}) {
    auto plan = as_host_root("ls ../../../etc/shadow ../../../../etc/shadow; pwd");
    plan.working_dir = "/proc/self/fd/" + std::to_string(number);
    std::string text;
    bool refused = false;
    run([&]() -> task<> {
      try {
        co_await run_to_end(plan);
      } catch (const Error&) {
        refused = true;
      }
    });
    if (!refused) text = log_of(plan);
    EXPECT_EQ(text.find("/etc/shadow\n"), std::string::npos) << text;
  }
}

// The same class, through everything else in a plan that is a path: the program, PATH, a script's interpreter.
TEST_P(Escape, ProgramsOfTheHostAreOutOfReachThroughDescriptors) {
  auto bait = directory_.path() / "bait";
  make_directories(bait);
  std::filesystem::copy_file("/bin/busybox", bait / "echo");
  std::string up;
  for (int i = 0; i < 30; ++i) up += "/..";
  std::vector<std::string> ways;
  for (int number = 0; number < 40; ++number)
    ways.push_back("/proc/self/fd/" + std::to_string(number) + up + bait.string());
  ways.push_back("/proc/self/cwd" + up + bait.string());
  std::string path;
  for (const auto& way : ways) path += way + ":";

  std::vector<Plan> plans;
  for (const auto& way : ways) {
    write_file(layer_ / "attack", "#!" + way + "/echo escaped\n", 0755);
    for (const auto& argv : {std::vector<std::string>{way + "/echo", "escaped"}, {"/attack"}}) {
      auto plan = plan_of(argv);
      plan.launcher = GetParam();
      plan.user_namespace.reset();
      EXPECT_FALSE(escapes(plan)) << argv[0];
    }
  }

  auto searched = plan_of({"echo", "escaped"});
  searched.launcher = GetParam();
  searched.environment = {"PATH=" + path};
  std::filesystem::remove(layer_ / "bin" / "echo");
  EXPECT_FALSE(escapes(searched));

  auto target = as_host_root("sleep 1000");
  run([&]() -> task<> {
    co_await runtime_->create(target);
    co_await runtime_->start(target.id);
    for (const auto& way : ways) {
      ExecPlan attack;
      attack.argv = {way + "/echo", "escaped"};
      attack.environment = {"PATH=/bin"};
      attack.working_dir = "/";
      attack.capabilities = default_capabilities();
      std::string out;
      try {
        auto process = co_await runtime_->exec(target.id, attack);
        auto session = process->session();
        out = co_await read_all(*session);
        co_await process->wait();
      } catch (const Error&) {
      }
      EXPECT_EQ(out.find("escaped"), std::string::npos) << way;
    }
    co_await runtime_->remove(target.id);
  });
}

TEST_P(Escape, KernelWideSettingsCannotBeWritten) {
  auto plan = as_host_root(
      "for f in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /proc/sys/vm/overcommit_memory "
      "/sys/kernel/uevent_helper /sys/kernel/mm/ksm/run; do (echo x > $f) 2>/dev/null && echo written $f; done; echo "
      "done");
  EXPECT_EQ(output_of(plan), "done\n");
}

TEST_P(Escape, ControlGroupsCannotBeWritten) {
  auto plan = as_host_root(
      "for f in /sys/fs/cgroup/*/release_agent /sys/fs/cgroup/*/cgroup.procs /sys/fs/cgroup/cgroup.procs "
      "/sys/fs/cgroup/*/notify_on_release /sys/fs/cgroup/*/devices.allow; do "
      "[ -e $f ] && (echo 1 > $f) 2>/dev/null && echo written $f; done; "
      "for d in /sys/fs/cgroup/*/; do mkdir ${d}child 2>/dev/null && echo made $d; done; echo done");
  EXPECT_EQ(output_of(plan), "done\n");
}

TEST_P(Escape, MaskedPathsStayMasked) {
  auto plan = script(
      "umount /proc/keys /proc/timer_list /sys/firmware 2>/dev/null; mount -o remount,rw /proc/sys 2>/dev/null; "
      "cat /proc/keys /proc/timer_list | wc -c; ls /sys/firmware | wc -l; (echo 1 > /proc/sys/kernel/panic) "
      "2>/dev/null && echo written");
  plan.capabilities.push_back("CAP_SYS_ADMIN");
  EXPECT_EQ(output_of(plan).find("written"), std::string::npos);
}

TEST_P(Escape, DevicesOfTheHostCannotBeUsed) {
  auto plan = as_host_root(
      "mknod /tmp/mem c 1 1 && dd if=/tmp/mem of=/dev/null bs=1 count=1 2>/dev/null && echo read; "
      "mknod /tmp/disk b 254 0 && dd if=/tmp/disk of=/dev/null bs=512 count=1 2>/dev/null && echo read; echo done");
  EXPECT_EQ(output_of(plan), "done\n");
  auto mapped = script("mknod /tmp/mem c 1 1 2>/dev/null && echo made; echo done");
  EXPECT_EQ(output_of(mapped), "done\n");
}

TEST_P(Escape, NewNamespacesAreRefusedByDefault) {
  auto plan = script("unshare -U true 2>/dev/null && echo user; unshare -m true 2>/dev/null && echo mount; echo done");
  EXPECT_EQ(output_of(plan), "done\n");
}

TEST_P(Escape, TheHostsFilesAndProcessesAreOutOfSight) {
  auto plan = as_host_root(
      "cat /proc/1/comm; ls /proc/1/root/; grep -c -e ' /mnt ' -e gantry-runtime /proc/self/mountinfo; "
      "ls / | tr '\\n' ' '");
  auto text = output_of(plan);
  EXPECT_TRUE(text.starts_with("sh\n")) << text;
  EXPECT_EQ(text.find("boot"), std::string::npos) << text;
}

// The root was moved over an empty file system: breaking out of a chroot must find nothing else.
TEST_P(Escape, BreakingOutOfTheRootFindsNothing) {
  auto plan = script(
      "mkdir -p /tmp/j; busybox chroot /tmp/j true 2>/dev/null; cd /tmp; "
      "i=0; while [ $i -lt 20 ]; do cd ..; i=$((i+1)); done; ls; umount -l / 2>/dev/null; ls /../.. | tr '\\n' ' '");
  plan.capabilities.push_back("CAP_SYS_ADMIN");
  plan.capabilities.push_back("CAP_SYS_CHROOT");
  plan.default_seccomp = false;
  auto text = output_of(plan);
  EXPECT_EQ(text.find("boot"), std::string::npos) << text;
  EXPECT_EQ(text.find("gantry"), std::string::npos) << text;
}

// An exec is looked at by root of the container from its first moment on.
TEST_P(Escape, AnExecCannotBeTracedBeforeItsProgramRuns) {
  auto plan = as_host_root(
      "while true; do for p in /proc/[0-9]*; do case $p in /proc/1|/proc/self) continue;; esac; "
      "l=$(readlink $p/exe) && case $l in /bin/busybox) ;; ?*) echo seen $l;; esac; "
      "head -c 16 $p/mem >/dev/null 2>&1; done; done");
  run([&]() -> task<> {
    co_await runtime_->create(plan);
    co_await runtime_->start(plan.id);
    for (int i = 0; i < 20; ++i) {
      ExecPlan quick;
      quick.argv = {"/bin/true"};
      quick.environment = {"PATH=/bin"};
      quick.working_dir = "/";
      quick.capabilities = default_capabilities();
      auto process = co_await runtime_->exec(plan.id, quick);
      co_await process->wait();
    }
    co_await runtime_->remove(plan.id);
  });
  EXPECT_EQ(log_of(plan).find("seen"), std::string::npos) << log_of(plan);
}

TEST_P(Escape, AbstractSocketsOfTheHostAreUnreachable) {
  int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_GE(listener, 0);
  Fd keep(listener);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  auto name = "gantry-escape-" + random_hex(8);
  std::copy(name.begin(), name.end(), address.sun_path + 1);
  auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  auto plan = as_host_root("grep -c " + name + " /proc/net/unix");
  EXPECT_EQ(output_of(plan), "0\n");
}

TEST_P(Escape, SetuidGainsNothing) {
  auto plan = script("grep NoNewPrivs /proc/self/status");
  EXPECT_NE(output_of(plan).find("1"), std::string::npos);
}

// /proc and /dev as links in the image lead into the image, never to the host's.
TEST_P(Escape, SystemDirectoriesThatAreLinks) {
  auto outside = directory_.path() / "outside";
  make_directories(outside);
  std::filesystem::remove(layer_ / "proc");
  std::filesystem::create_symlink(outside, layer_ / "proc");
  auto plan = script("echo ran");
  bool refused = false;
  run([&]() -> task<> {
    try {
      co_await run_to_end(plan);
    } catch (const Error&) {
      refused = true;
    }
  });
  EXPECT_TRUE(refused || log_of(plan) == "ran\n");
  EXPECT_TRUE(std::filesystem::is_empty(outside));
}

INSTANTIATE_TEST_SUITE_P(Each, Escape, testing::Values(Launcher::crun, Launcher::native),
                         [](const auto& tested) { return tested.param == Launcher::crun ? "crun" : "native"; });

}  // namespace
}  // namespace gantry::runtime
