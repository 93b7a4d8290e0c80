#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sstream>

#include "fixture.h"

namespace gantry::runtime {
namespace {

class Faults : public RuntimeTest {
 protected:
  // The children of this process that have this name; each thread lists its own.
  static std::vector<pid_t> children_named(const std::string& name) {
    std::vector<pid_t> out;
    for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task")) {
      std::istringstream children(read_file_if_exists(thread.path() / "children").value_or(""));
      for (pid_t pid = 0; children >> pid;)
        if (read_file_if_exists("/proc/" + std::to_string(pid) + "/comm") == name + "\n") out.push_back(pid);
    }
    return out;
  }
};

TEST_F(Faults, DaemonGoesAndComesBack) {
  auto plan = shell("echo before; sleep 1; echo after; exit 12");
  run([&]() -> task<> {
    co_await runtime_->create(plan);
    co_await runtime_->start(plan.id);
    co_await sleep_for(std::chrono::milliseconds(300));
  });
  restart_runtime();
  run([&]() -> task<> {
    auto adopted = co_await runtime_->adopt(plan.id, plan.state_dir);
    EXPECT_EQ(adopted.what, Adopted::What::running);
    EXPECT_GT(adopted.pid, 1);
    auto session = co_await runtime_->attach(plan.id);
    EXPECT_EQ(co_await read_all(*session), "after\n");
    EXPECT_EQ((co_await runtime_->wait(plan.id)).status.code, 12);
    co_await runtime_->remove(plan.id);
  });
  EXPECT_EQ(log_of(plan), "before\nafter\n");
}

TEST_F(Faults, ExitWhileTheDaemonIsAway) {
  auto plan = shell("exit 13");
  run([&]() -> task<> {
    co_await runtime_->create(plan);
    co_await runtime_->start(plan.id);
  });
  auto shim = shim_of(plan.id);
  restart_runtime();
  for (int i = 0; i < 500 && !std::filesystem::exists(plan.state_dir / "exit.json"); ++i) ::usleep(10'000);
  run([&]() -> task<> {
    auto adopted = co_await runtime_->adopt(plan.id, plan.state_dir);
    EXPECT_EQ(adopted.what, Adopted::What::exited);
    EXPECT_EQ(adopted.exit.value().status.code, 13);
    EXPECT_EQ((co_await runtime_->wait(plan.id)).status.code, 13);
    co_await runtime_->remove(plan.id);
  });
  ::waitpid(shim, nullptr, WNOHANG);
}

TEST_F(Faults, AdoptCreatedAndStart) {
  auto plan = shell("exit 3");
  run([&]() -> task<> { co_await runtime_->create(plan); });
  restart_runtime();
  run([&]() -> task<> {
    auto adopted = co_await runtime_->adopt(plan.id, plan.state_dir);
    EXPECT_EQ(adopted.what, Adopted::What::created);
    co_await runtime_->start(plan.id);
    EXPECT_EQ((co_await runtime_->wait(plan.id)).status.code, 3);
    co_await runtime_->remove(plan.id);
  });
}

TEST_F(Faults, NothingThere) {
  auto plan = shell("true");
  run([&]() -> task<> {
    auto adopted = co_await runtime_->adopt(plan.id, plan.state_dir);
    EXPECT_EQ(adopted.what, Adopted::What::gone);
    co_await runtime_->remove(plan.id);
  });
}

TEST_F(Faults, ShimKilled) {
  auto plan = shell("sleep 1000");
  run([&]() -> task<> {
    auto made = co_await runtime_->create(plan);
    co_await runtime_->start(plan.id);
    ::kill(shim_of(plan.id), SIGKILL);
    auto record = co_await runtime_->wait(plan.id);
    EXPECT_EQ(record.status.code, 137);
    EXPECT_TRUE(record.status.signaled);
    co_await runtime_->remove(plan.id);
    // Orphaned, so that another process reaps it.
    auto status = read_file_if_exists("/proc/" + std::to_string(made.pid) + "/status").value_or("State:\tZ");
    EXPECT_NE(status.find("State:\tZ"), std::string::npos) << status;
  });
}

TEST_F(Faults, ShimKilledWhileTheDaemonIsAway) {
  auto plan = shell("sleep 1000");
  run([&]() -> task<> {
    co_await runtime_->create(plan);
    co_await runtime_->start(plan.id);
  });
  auto shim = shim_of(plan.id);
  restart_runtime();
  ::kill(shim, SIGKILL);
  ::waitpid(shim, nullptr, 0);
  run([&]() -> task<> {
    auto adopted = co_await runtime_->adopt(plan.id, plan.state_dir);
    EXPECT_EQ(adopted.what, Adopted::What::gone);
    EXPECT_EQ(runtime_->leftovers().size(), 1u);
    co_await runtime_->remove(plan.id);
  });
}

TEST_F(Faults, ShimKilledAtAnyMomentOfCreate) {
  for (int round = 0; round < 20; ++round) {
    auto plan = shell("sleep 1000");
    run([&]() -> task<> {
      Scope scope(io_.get_executor());
      bool done = false;
      auto create = [](Runtime* runtime, Plan wanted, bool* ended) -> task<> {
        try {
          co_await runtime->create(wanted);
        } catch (const Error&) {
        }
        *ended = true;
      };
      scope.spawn("create", create(runtime_.get(), plan, &done));
      while (!done && shim_of(plan.id) == 0) co_await sleep_for(std::chrono::milliseconds(1));
      co_await sleep_for(std::chrono::milliseconds(3 * round));
      if (auto shim = shim_of(plan.id); shim > 1) ::kill(shim, SIGKILL);
      while (!done) co_await sleep_for(std::chrono::milliseconds(1));
      co_await scope.close();
      co_await runtime_->remove(plan.id);
    });
    EXPECT_TRUE(runtime_->leftovers().empty()) << round;
  }
}

TEST_F(Faults, WhatMakesShimsIsMadeAgainWhenItWasKilled) {
  auto plan = shell("exit 3");
  for (int round = 0; round < 3; ++round) {
    run([&]() -> task<> {
      auto record = co_await run_to_end(plan);
      EXPECT_EQ(record.status.code, 3);
    });
    auto makers = children_named("gantry-zygote");
    EXPECT_EQ(makers.size(), 1u);
    for (pid_t maker : makers) ::kill(maker, SIGKILL);
  }
}

// Nothing is waited for between the two, and the program may have ended before the shim knows that it was made.
TEST_F(Faults, StartedWhileItIsStillBeingMade) {
  for (int round = 0; round < 30; ++round) {
    auto plan = shell("echo said; exit 4");
    run([&]() -> task<> {
      std::function<Plan()> make = [&] { return plan; };
      auto launched = co_await runtime_->launch(plan.id, std::move(make));
      auto pid = co_await runtime_->start(plan.id);
      EXPECT_GT(pid, 1);
      EXPECT_EQ((co_await runtime_->wait(plan.id)).status.code, 4);
      co_await runtime_->remove(plan.id);
    });
    EXPECT_EQ(log_of(plan), "said\n");
  }
}

TEST_F(Faults, WhatCannotBeMadeSaysWhyToWhomStartsItAtOnce) {
  auto plan = plan_of({"/bin/nothing"});
  std::optional<Error> failure;
  run([&]() -> task<> {
    std::function<Plan()> make = [&] { return plan; };
    co_await runtime_->launch(plan.id, std::move(make));
    co_await sleep_for(std::chrono::milliseconds(100));
    try {
      co_await runtime_->start(plan.id);
    } catch (const Error& error) {
      failure = error;
    }
    co_await runtime_->remove(plan.id);
  });
  ASSERT_TRUE(failure);
  EXPECT_NE(failure->message().find("/bin/nothing"), std::string::npos) << failure->message();
}

TEST_F(Faults, ShimStopped) {
  auto plan = shell("sleep 1000");
  run([&]() -> task<> {
    co_await runtime_->create(plan);
    co_await runtime_->start(plan.id);
    ::kill(shim_of(plan.id), SIGSTOP);
    co_await runtime_->remove(plan.id);
  });
}

TEST_F(Faults, InitKilled) {
  auto plan = shell("sleep 1000 & sleep 1000 & wait");
  run([&]() -> task<> {
    auto made = co_await runtime_->create(plan);
    co_await runtime_->start(plan.id);
    co_await sleep_for(std::chrono::milliseconds(100));
    ::kill(made.pid, SIGKILL);
    EXPECT_EQ((co_await runtime_->wait(plan.id)).status.code, 137);
    co_await runtime_->remove(plan.id);
  });
}

TEST_F(Faults, InitKilledBeforeStart) {
  auto plan = shell("true");
  run([&]() -> task<> {
    auto made = co_await runtime_->create(plan);
    ::kill(made.pid, SIGKILL);
    EXPECT_EQ((co_await runtime_->wait(plan.id)).status.code, 137);
    co_await runtime_->remove(plan.id);
  });
}

TEST_F(Faults, ShimIgnoresEverySignalItCan) {
  auto plan = shell("sleep 0.5; exit 2");
  run([&]() -> task<> {
    co_await runtime_->create(plan);
    co_await runtime_->start(plan.id);
    for (int number : {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGUSR1, SIGQUIT}) ::kill(shim_of(plan.id), number);
    EXPECT_EQ((co_await runtime_->wait(plan.id)).status.code, 2);
    co_await runtime_->remove(plan.id);
  });
}

TEST_F(Faults, ShimIsSmall) {
  auto plan = shell("sleep 1000");
  run([&]() -> task<> {
    co_await runtime_->create(plan);
    co_await runtime_->start(plan.id);
    auto text = read_file("/proc/" + std::to_string(shim_of(plan.id)) + "/smaps_rollup");
    std::istringstream lines(text);
    std::uint64_t dirty = 0;
    for (std::string line; std::getline(lines, line);)
      if (line.starts_with("Private_Dirty:")) dirty = std::stoull(line.substr(14));
    EXPECT_GT(dirty, 0u);
    EXPECT_LE(dirty, 1024u) << text;
    co_await runtime_->remove(plan.id);
  });
}

}  // namespace
}  // namespace gantry::runtime
