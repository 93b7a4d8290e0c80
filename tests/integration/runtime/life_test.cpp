#include <signal.h>
#include <sys/stat.h>

#include "fixture.h"

namespace gantry::runtime {
namespace {

class Life : public RuntimeTest {};

TEST_F(Life, ExitCodeAndStreams) {
  auto plan = shell("echo out; echo err >&2; exit 7");
  run([&]() -> task<> {
    auto record = co_await run_to_end(plan);
    EXPECT_EQ(record.status.code, 7);
    EXPECT_FALSE(record.status.signaled);
    EXPECT_GT(record.time, now() - std::chrono::minutes(1));
  });
  EXPECT_EQ(log_of(plan, StdStream::out), "out\n");
  EXPECT_EQ(log_of(plan, StdStream::err), "err\n");
}

TEST_F(Life, KilledBySignal) {
  auto plan = shell("trap 'exit 3' TERM; while :; do sleep 0.05; done");
  run([&]() -> task<> {
    co_await runtime_->create(plan);
    co_await runtime_->start(plan.id);
    co_await sleep_for(std::chrono::milliseconds(300));
    co_await runtime_->signal(plan.id, SIGTERM);
    auto record = co_await runtime_->wait(plan.id);
    EXPECT_EQ(record.status.code, 3);
    co_await runtime_->remove(plan.id);
  });
  auto second = shell("while :; do sleep 0.05; done");
  run([&]() -> task<> {
    co_await runtime_->create(second);
    co_await runtime_->start(second.id);
    co_await runtime_->kill_all(second.id);
    auto record = co_await runtime_->wait(second.id);
    EXPECT_EQ(record.status.code, 137);
    EXPECT_TRUE(record.status.signaled);
    co_await runtime_->remove(second.id);
  });
}

TEST_F(Life, RemoveWhileCreatedOrRunning) {
  auto created = shell("true"), running = shell("sleep 1000");
  run([&]() -> task<> {
    auto made = co_await runtime_->create(created);
    EXPECT_GT(made.pid, 1);
    EXPECT_TRUE(made.netns);
    co_await runtime_->remove(created.id);
    co_await runtime_->create(running);
    co_await runtime_->start(running.id);
    co_await runtime_->remove(running.id);
    co_await runtime_->remove(running.id);  // idempotent
  });
}

TEST_F(Life, SameDirectoriesAgain) {
  auto plan = shell("test -e /kept && echo again || touch /kept");
  run([&]() -> task<> {
    co_await run_to_end(plan);
    co_await run_to_end(plan);
  });
  EXPECT_EQ(log_of(plan), "again\n");
}

TEST_F(Life, MissingCommand) {
  for (auto argv : std::vector<std::vector<std::string>>{{"nosuch"}, {"/bin/nosuch"}}) {
    for (bool init : {false, true}) {
      auto plan = plan_of(argv);
      plan.init = init;
      run([&]() -> task<> {
        try {
          co_await runtime_->create(plan);
          ADD_FAILURE() << "created";
        } catch (const Error& error) {
          EXPECT_EQ(error.kind(), ErrorKind::not_found);
          EXPECT_EQ(error.message(), argv[0] + ": no such command in the image");
        }
      });
      EXPECT_FALSE(std::filesystem::exists(shim_directory(plan.id)));
    }
  }
}

TEST_F(Life, CommandThatIsNotExecutable) {
  write_file(layer_ / "bin/plain", "text", 0644);
  auto plan = plan_of({"/bin/plain"});
  run([&]() -> task<> {
    try {
      co_await runtime_->create(plan);
      ADD_FAILURE() << "created";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid) << error.message();
    }
  });
}

TEST_F(Life, WorkingDirectoryThatIsNotThere) {
  auto plan = shell("pwd");
  plan.working_dir = "/srv/made";
  EXPECT_EQ(output_of(plan), "/srv/made\n");
}

TEST_F(Life, MissingBindSourceNamesIt) {
  auto plan = shell("true");
  plan.mounts = {{.source = "/nosuch/place", .target = "/m"}};
  run([&]() -> task<> {
    try {
      co_await runtime_->create(plan);
      ADD_FAILURE() << "created";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::not_found);
      EXPECT_NE(error.message().find("/nosuch/place"), std::string::npos) << error.message();
    }
  });
}

TEST_F(Life, InitReapsAndForwards) {
  auto plan =
      shell("trap 'exit 9' TERM; (sleep 0.1 & ) ; sleep 0.4; ps -o pid,stat,comm; while :; do sleep 0.05; done");
  plan.init = true;
  run([&]() -> task<> {
    co_await runtime_->create(plan);
    co_await runtime_->start(plan.id);
    co_await sleep_for(std::chrono::milliseconds(900));
    co_await runtime_->signal(plan.id, SIGTERM);
    auto record = co_await runtime_->wait(plan.id);
    EXPECT_EQ(record.status.code, 9);
    co_await runtime_->remove(plan.id);
  });
  EXPECT_EQ(log_of(plan).find(" Z "), std::string::npos) << log_of(plan);
}

TEST_F(Life, LongRunDirectory) {
  run_dir_ = directory_.path() / std::string(100, 'x') / std::string(100, 'y') / "run";
  restart_runtime();
  auto plan = shell("test -t 0 && echo terminal");
  plan.tty = true;
  run([&]() -> task<> { EXPECT_EQ((co_await run_to_end(plan)).status.code, 0); });
  EXPECT_EQ(log_of(plan), "terminal\r\n");
}

TEST_F(Life, FiftyInParallel) {
  constexpr int kCount = 50;
  run([&]() -> task<> {
    Scope scope(io_.get_executor());
    int ended = 0;
    auto one = [](Life_FiftyInParallel_Test* self, int number, int* count) -> task<> {
      auto plan = self->shell("exit " + std::to_string(number));
      auto record = co_await self->run_to_end(plan);
      EXPECT_EQ(record.status.code, number);
      ++*count;
    };
    for (int i = 0; i < kCount; ++i) scope.spawn("container", one(this, i, &ended));
    for (int i = 0; i < 600 && ended < kCount; ++i) co_await sleep_for(std::chrono::milliseconds(100));
    co_await scope.close();
    EXPECT_EQ(ended, kCount);
  });
}

}  // namespace
}  // namespace gantry::runtime
