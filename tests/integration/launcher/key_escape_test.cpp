#include <grp.h>
#include <linux/keyctl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"

// What the daemon's user has beside files: keys and groups. They stay with it.
namespace gantry::runtime {
namespace {

long add_key(const char* name, const char* data) {
  return ::syscall(SYS_add_key, "user", name, data, std::string_view(data).size(), KEY_SPEC_SESSION_KEYRING);
}

/// Before the fixture's threads are born, which inherit it.
struct SecretKey {
  SecretKey() {
    ::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr);
    added = add_key("gantry-secret", "secret");
  }
  long added = -1;
};

class KeyEscape : public SecretKey, public RuntimeTest, public testing::WithParamInterface<Launcher> {
 protected:
  KeyEscape() { std::filesystem::copy_file(GANTRY_PROBE, layer_ / "bin/probe"); }
  std::string looked_for() {
    auto plan = plan_of({"/bin/probe", "key", "gantry-secret"});
    plan.launcher = GetParam();
    plan.default_seccomp = false;  // which refuses to ask for keys at all
    return output_of(plan);
  }
};

TEST_P(KeyEscape, KeysOfTheHostAreOutOfReach) {
  ASSERT_GE(added, 0);
  EXPECT_EQ(looked_for().find("found"), std::string::npos);
}

// A user may have only so many keys, and a keyring is one: then the container has to do without one of its own.
TEST_P(KeyEscape, KeysOfTheHostAreOutOfReachWhenThereAreNoMoreKeyrings) {
  int ready[2];
  ASSERT_EQ(::pipe2(ready, O_CLOEXEC), 0);
  pid_t hoarder = ::fork();
  if (hoarder == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::syscall(SYS_setresuid, 1'000'000, 1'000'000, 1'000'000);
    ::syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, nullptr);
    for (int i = 0; i < 1000 && add_key(("hoard-" + std::to_string(i)).c_str(), "x") >= 0; ++i) {
    }
    char byte = 'r';
    if (::write(ready[1], &byte, 1) == 1) ::pause();
    ::_exit(0);
  }
  char byte;
  EXPECT_EQ(::read(ready[0], &byte, 1), 1);
  EXPECT_EQ(looked_for().find("found"), std::string::npos);
  ::kill(hoarder, SIGKILL);
  ::waitpid(hoarder, nullptr, 0);
  for (int end : ready) ::close(end);
}

TEST_P(KeyEscape, GroupsOfTheDaemonAreGivenUp) {
  constexpr gid_t kGroups[] = {4242};
  ASSERT_EQ(::setgroups(1, kGroups), 0);
  for (bool mapped : {true, false}) {
    auto plan = shell("grep Groups: /proc/self/status");
    plan.launcher = GetParam();
    if (!mapped) plan.user_namespace.reset();
    auto text = output_of(plan);
    EXPECT_EQ(text.find_first_of("123456789"), std::string::npos) << text;
  }
  ::setgroups(0, nullptr);
}

INSTANTIATE_TEST_SUITE_P(Each, KeyEscape, testing::Values(Launcher::crun, Launcher::native),
                         [](const auto& tested) { return tested.param == Launcher::crun ? "crun" : "native"; });

}  // namespace
}  // namespace gantry::runtime
