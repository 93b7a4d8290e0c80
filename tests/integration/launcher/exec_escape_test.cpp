#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"

// Ways out of a container that are open, if ever, while a further process is on its way into it.
namespace gantry::runtime {
namespace {

class ExecEscape : public RuntimeTest, public testing::WithParamInterface<Launcher> {
 protected:
  ExecEscape() { std::filesystem::copy_file(GANTRY_PROBE, layer_ / "bin/probe"); }

  Plan as_host_root(std::vector<std::string> argv) {
    auto plan = plan_of(std::move(argv));
    plan.launcher = GetParam();
    plan.user_namespace.reset();
    return plan;
  }
  static ExecPlan exec_of(std::vector<std::string> argv) {
    ExecPlan plan{.argv = std::move(argv), .environment = {"PATH=/bin"}, .working_dir = "/"};
    plan.capabilities = default_capabilities();
    return plan;
  }
  task<std::string> output_of_exec(ContainerId id, ExecPlan plan) {
    auto process = co_await runtime_->exec(id, plan);
    auto session = process->session();
    auto text = co_await read_all(*session);
    co_await process->wait();
    co_return text;
  }
  /// What `plan`'s program says while `count` trivial processes join it.
  std::string said_while_others_join(const Plan& plan, int count, const std::vector<std::string>& capabilities) {
    auto quick = exec_of({"/bin/true"});
    quick.capabilities = capabilities;
    run([&]() -> task<> {
      co_await runtime_->create(plan);
      co_await runtime_->start(plan.id);
      for (int i = 0; i < count; ++i) co_await output_of_exec(plan.id, quick);
      co_await runtime_->signal(plan.id, SIGTERM);
      co_await runtime_->wait(plan.id);
      co_await runtime_->remove(plan.id);
    });
    return log_of(plan);
  }
};

TEST_P(ExecEscape, WhatJoinsIsNotSeenBeforeItsProgramRuns) {
  auto text = said_while_others_join(as_host_root({"/bin/probe", "watch", "100"}), 40, default_capabilities());
  EXPECT_TRUE(text.ends_with("watched\n")) << text;
  EXPECT_EQ(text.find("seen"), std::string::npos) << text;
}

// Who may trace in the host's user namespace gets at everything that a process of the container ever has, so none may
// have more than its program will. crun 1.8 drops privileges inside.
TEST_P(ExecEscape, WhatJoinsHasNothingToTakeOver) {
  auto plan = as_host_root({"/bin/probe", "watch", "100"});
  plan.capabilities.emplace_back("CAP_SYS_PTRACE");
  auto text = said_while_others_join(plan, 40, plan.capabilities);
  EXPECT_TRUE(text.ends_with("watched\n")) << text;
  if (GetParam() == Launcher::native) {
    EXPECT_EQ(text.find("more"), std::string::npos) << text;
  }
}

TEST_P(ExecEscape, OnlyStandardDescriptorsAreInherited) {
  Fd leak(::open("/etc", O_RDONLY | O_DIRECTORY));  // as a careless library in the daemon would
  ASSERT_TRUE(leak);
  auto plan = as_host_root({"/bin/sleep", "1000"});
  std::string text;
  auto exec = exec_of({"/bin/sh", "-c", "ls /proc/self/fd | wc -l; ls /proc/1/fd | wc -l"});
  run([&]() -> task<> {
    co_await runtime_->create(plan);
    co_await runtime_->start(plan.id);
    text = co_await output_of_exec(plan.id, exec);
    co_await runtime_->remove(plan.id);
  });
  EXPECT_EQ(text, "4\n3\n");
}

// fchmod on it would change /dev/null of the host.
TEST_P(ExecEscape, TheStandardInputIsNotADeviceOfTheHost) {
  const std::vector<std::string> look = {"/bin/sh", "-c", "stat -L -c 'input %d:%i' /proc/self/fd/0"};
  auto plan = as_host_root({"/bin/sh", "-c", look[2] + "; rm /dev/null; ln -s /dev/full /dev/null; sleep 1000"});
  std::string text;
  auto look_again = exec_of(look), read = exec_of({"/bin/sh", "-c", "dd bs=1 count=1 2>/dev/null | wc -c"});
  run([&]() -> task<> {
    co_await runtime_->create(plan);
    co_await runtime_->start(plan.id);
    co_await sleep_for(std::chrono::milliseconds(300));
    text = co_await output_of_exec(plan.id, look_again);
    // In the place of its null device there is another one now.
    text += co_await output_of_exec(plan.id, read);
    co_await runtime_->remove(plan.id);
  });
  struct stat host {};
  ASSERT_EQ(::stat("/dev/null", &host), 0);
  auto device = "input " + std::to_string(host.st_dev) + ":" + std::to_string(host.st_ino) + "\n";
  EXPECT_TRUE(log_of(plan).starts_with("input ")) << log_of(plan);
  EXPECT_EQ(log_of(plan).find(device), std::string::npos);
  EXPECT_TRUE(text.starts_with("input ")) << text;
  EXPECT_EQ(text.find(device), std::string::npos);
  EXPECT_TRUE(text.ends_with("\n0\n")) << text;
}

TEST_P(ExecEscape, ItHasTheLimitsOfItsContainer) {
  auto plan = as_host_root({"/bin/sleep", "1000"});
  plan.rlimits = {{.name = "RLIMIT_NOFILE", .soft = 77, .hard = 99}, {.name = "RLIMIT_CORE", .soft = 0, .hard = 0}};
  plan.oom_score_adj = 444;
  std::string text;
  auto exec = exec_of({"/bin/sh", "-c", "ulimit -Sn; ulimit -Hn; ulimit -Hc; cat /proc/self/oom_score_adj"});
  run([&]() -> task<> {
    co_await runtime_->create(plan);
    co_await runtime_->start(plan.id);
    text = co_await output_of_exec(plan.id, exec);
    co_await runtime_->remove(plan.id);
  });
  EXPECT_EQ(text, "77\n99\n0\n444\n");
}

INSTANTIATE_TEST_SUITE_P(Each, ExecEscape, testing::Values(Launcher::crun, Launcher::native),
                         [](const auto& tested) { return tested.param == Launcher::crun ? "crun" : "native"; });

// A container has ended, and its process' number is another's: here, one of another container.
TEST_F(RuntimeTest, AProcessThatIsNotTheContainersIsNotEntered) {
  auto one = shell("sleep 1000"), other = shell("sleep 1000");
  run([&]() -> task<> {
    for (const auto& plan : {one, other}) {
      co_await runtime_->create(plan);
      co_await runtime_->start(plan.id);
    }
    std::filesystem::copy_file(shim_directory(other.id) / "base", shim_directory(one.id) / "base",
                               std::filesystem::copy_options::overwrite_existing);
    ExecPlan plan{.argv = {"/bin/true"}, .environment = {"PATH=/bin"}, .working_dir = "/"};
    try {
      co_await runtime_->exec(one.id, plan);
      ADD_FAILURE() << "entered";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::conflict) << error.message();
    }
    for (const auto& ended : {one, other}) co_await runtime_->remove(ended.id);
  });
}

}  // namespace
}  // namespace gantry::runtime
