#include <signal.h>

#include "fixture.h"

namespace gantry::runtime {
namespace {

class Exec : public RuntimeTest {
 protected:
  ExecPlan exec_of(std::string script) {
    ExecPlan plan;
    plan.argv = {"/bin/sh", "-c", std::move(script)};
    plan.environment = {"PATH=/bin"};
    plan.working_dir = "/tmp";
    plan.capabilities = default_capabilities();
    return plan;
  }
  void with_container(std::function<task<>(ContainerId)> work) {
    auto plan = shell("sleep 1000");
    run([&]() -> task<> {
      co_await runtime_->create(plan);
      co_await runtime_->start(plan.id);
      std::exception_ptr failure;
      try {
        co_await work(plan.id);
      } catch (...) {
        failure = std::current_exception();
      }
      co_await runtime_->remove(plan.id);
      if (failure) std::rethrow_exception(failure);
    });
  }
};

TEST_F(Exec, OutputExitCodeAndPlace) {
  with_container([&](ContainerId id) -> task<> {
    auto process = co_await runtime_->exec(id, exec_of("pwd; id -u; echo err >&2; exit 6"));
    auto session = process->session();
    std::string out, err;
    while (auto chunk = co_await session->read()) (chunk->stream == StdStream::err ? err : out) += chunk->data;
    EXPECT_EQ(out, "/tmp\n0\n");
    EXPECT_EQ(err, "err\n");
    EXPECT_EQ((co_await process->wait()).code, 6);
  });
}

TEST_F(Exec, InputTerminalAndResize) {
  with_container([&](ContainerId id) -> task<> {
    auto plan = exec_of("read x; stty size; echo got $x");
    plan.tty = plan.open_stdin = true;
    auto process = co_await runtime_->exec(id, plan);
    auto session = process->session();
    co_await process->resize(11, 22);
    co_await session->write("word\n");
    auto text = co_await read_all(*session);
    EXPECT_NE(text.find("11 22\r\ngot word\r\n"), std::string::npos) << text;
    EXPECT_EQ((co_await process->wait()).code, 0);
  });
}

TEST_F(Exec, Isolation) {
  with_container([&](ContainerId id) -> task<> {
    auto plan = exec_of(
        "id -u; grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status; cat /proc/self/uid_map; echo x > "
        "/dev/stdout");
    plan.uid = plan.gid = 33;
    auto process = co_await runtime_->exec(id, plan);
    auto session = process->session();
    auto text = co_await read_all(*session);
    EXPECT_TRUE(text.starts_with("33\n")) << text;
    EXPECT_NE(text.find("NoNewPrivs:\t1"), std::string::npos) << text;
    EXPECT_NE(text.find("Seccomp:\t2"), std::string::npos) << text;
    EXPECT_NE(text.find("1000000"), std::string::npos) << text;
    EXPECT_TRUE(text.ends_with("x\n")) << text;
    co_await process->wait();
  });
}

TEST_F(Exec, MissingCommand) {
  with_container([&](ContainerId id) -> task<> {
    ExecPlan plan = exec_of("");
    plan.argv = {"nosuch"};
    try {
      co_await runtime_->exec(id, plan);
      ADD_FAILURE() << "executed";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::not_found) << error.message();
    }
  });
}

TEST_F(Exec, SignalAndDetach) {
  with_container([&](ContainerId id) -> task<> {
    auto process = co_await runtime_->exec(id, exec_of("exec sleep 1000"));
    process->signal(SIGTERM);
    EXPECT_EQ((co_await process->wait()).code, 143);
    auto detached = co_await runtime_->exec(id, exec_of("sleep 1000"));
    detached.reset();  // ends with its container
  });
}

TEST_F(Exec, TwentyAtOnce) {
  with_container([&](ContainerId id) -> task<> {
    Scope scope(io_.get_executor());
    int ended = 0;
    auto one = [](Runtime* runtime, ContainerId where, ExecPlan plan, int number, int* count) -> task<> {
      auto process = co_await runtime->exec(where, plan);
      EXPECT_EQ((co_await process->wait()).code, number);
      ++*count;
    };
    for (int i = 0; i < 20; ++i)
      scope.spawn("exec", one(runtime_.get(), id, exec_of("exit " + std::to_string(i)), i, &ended));
    for (int i = 0; i < 300 && ended < 20; ++i) co_await sleep_for(std::chrono::milliseconds(100));
    co_await scope.close();
    EXPECT_EQ(ended, 20);
  });
}

TEST_F(Exec, NotRunning) {
  auto plan = shell("true");
  run([&]() -> task<> {
    co_await runtime_->create(plan);
    try {
      co_await runtime_->exec(plan.id, exec_of("true"));
      ADD_FAILURE() << "executed";
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::conflict);
    }
    co_await runtime_->remove(plan.id);
  });
}

}  // namespace
}  // namespace gantry::runtime
