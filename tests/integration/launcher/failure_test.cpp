#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fixture.h"

// What cannot be made is refused with an error that names it, whichever launcher finds out; the end of each test checks
// that nothing is left.
namespace gantry::runtime {
namespace {

struct FailureCase {
  const char* name;
  std::function<void(Plan&)> change;
  const char* named;  ///< in the error
};

void PrintTo(const FailureCase& tested, std::ostream* out) { *out << tested.name; }

class Failure : public RuntimeTest, public testing::WithParamInterface<FailureCase> {
 protected:
  Failure() { write_file(layer_ / "etc/file", "text\n", 0644); }
};

TEST_P(Failure, IsToldAndLeavesNothing) {
  for (auto launcher : {Launcher::crun, Launcher::native}) {
    auto plan = shell("true");
    plan.launcher = launcher;
    GetParam().change(plan);
    std::optional<Error> failure;
    run([&]() -> task<> {
      try {
        co_await runtime_->create(plan);
      } catch (const Error& error) {
        failure = error;
      }
    });
    ASSERT_TRUE(failure) << static_cast<int>(launcher);
    EXPECT_NE(failure->message().find(GetParam().named), std::string::npos) << failure->message();
    EXPECT_TRUE(runtime_->leftovers().empty());
  }
}

const FailureCase kFailures[] = {
    {"no_such_command", [](Plan& p) { p.argv = {"/bin/nothing"}; }, "/bin/nothing"},
    {"not_in_path", [](Plan& p) { p.argv = {"nothing"}; }, "nothing"},
    {"not_executable", [](Plan& p) { p.argv = {"/etc/file"}; }, "not executable"},
    {"missing_layer", [](Plan& p) { p.layers.push_back("/nowhere/layer"); }, "/nowhere/layer"},
    {"missing_bind", [](Plan& p) { p.mounts = {{.source = "/nowhere/source", .target = "/x"}}; }, "/nowhere/source"},
    {"target_below_a_file",
     [](Plan& p) { p.mounts = {{.kind = PlannedMount::Kind::tmpfs, .target = "/etc/file/below"}}; }, "etc/file"},
    {"no_such_sysctl",
     [](Plan& p) {
       p.sysctls = {{"net.ipv4.nothing_like_this", "1"}};
     },
     "nothing_like_this"},
    {"no_such_processor", [](Plan& p) { p.cpuset = "4000"; }, "cpuset"},
    {"unknown_capability", [](Plan& p) { p.capabilities = {"CAP_NOTHING"}; }, "CAP_NOTHING"},
};

INSTANTIATE_TEST_SUITE_P(Each, Failure, testing::ValuesIn(kFailures),
                         [](const auto& tested) { return tested.param.name; });

// Before its program runs a first process is nothing without its shim: root's is ended by the kernel, that of another
// user, for whom this order lapses, by the closed channel.
class Orphan : public RuntimeTest, public testing::WithParamInterface<std::uint32_t> {};

TEST_P(Orphan, OfAShimKilledBeforeTheStartRunsNothing) {
  auto plan = shell("echo ran; sleep 1000");
  plan.uid = plan.gid = GetParam();
  run([&]() -> task<> {
    auto made = co_await runtime_->create(plan);
    Fd first(static_cast<int>(::syscall(SYS_pidfd_open, made.pid, 0)));
    EXPECT_TRUE(first);
    pid_t shim = shim_of(plan.id);
    EXPECT_GT(shim, 1);
    if (shim > 1) ::kill(shim, SIGKILL);
    pollfd ended{first.get(), POLLIN, 0};
    EXPECT_EQ(::poll(&ended, 1, 5000), 1);
    co_await runtime_->remove(plan.id);
  });
  EXPECT_EQ(log_of(plan), "");
}

INSTANTIATE_TEST_SUITE_P(Users, Orphan, testing::Values(0u, 1000u));

}  // namespace
}  // namespace gantry::runtime
