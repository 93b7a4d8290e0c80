#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <thread>

#include "fixture.h"

// Images and files next to a container that are made to lead the launcher astray, standing still or changing under it.
namespace gantry::runtime {
namespace {

namespace fs = std::filesystem;

/// Exchanges two names as quickly as it can.
class Flipper {
 public:
  Flipper(fs::path one, fs::path other)
      : thread_([this, one = std::move(one), other = std::move(other)] {
          while (!ended_) ::renameat2(AT_FDCWD, one.c_str(), AT_FDCWD, other.c_str(), RENAME_EXCHANGE);
        }) {}
  Flipper(const Flipper&) = delete;
  Flipper& operator=(const Flipper&) = delete;
  ~Flipper() {
    ended_ = true;
    thread_.join();
  }

 private:
  std::atomic<bool> ended_ = false;
  std::thread thread_;
};

class ImageEscape : public RuntimeTest, public testing::WithParamInterface<Launcher> {
 protected:
  ImageEscape() : outside_(directory_.path() / "outside") {
    make_directories(outside_, 0755);
    write_file(outside_ / "secret", "secret\n", 0644);
  }

  Plan as_host_root(const std::string& text) {
    auto plan = shell(text);
    plan.launcher = GetParam();
    plan.user_namespace.reset();
    return plan;
  }
  fs::path made(const char* name) {
    make_directories(directory_.path() / name, 0755);
    return directory_.path() / name;
  }
  /// What it wrote; a refusal is fine.
  std::string output_or_refusal(const Plan& plan) {
    bool refused = false;
    run([&]() -> task<> {
      try {
        co_await run_to_end(plan);
      } catch (const Error&) {
        refused = true;
      }
      if (refused) co_await runtime_->remove(plan.id);
    });
    return refused ? "" : log_of(plan);
  }
  void expect_untouched() {
    EXPECT_EQ(std::distance(fs::directory_iterator(outside_), {}), 1);
    EXPECT_EQ(read_file(outside_ / "secret"), "secret\n");
  }

  fs::path outside_;
};

// CVE-2021-30465: a part of the target, in a volume that another container writes, becomes a link while it is mounted.
TEST_P(ImageEscape, AMountTargetThatChangesStaysInside) {
  auto volume = made("volume"), source = made("source");
  make_directories(volume / "part", 0755);
  fs::create_directory_symlink(outside_, volume / "way-out");
  Flipper flipper(volume / "part", volume / "way-out");
  for (int i = 0; i < 15; ++i) {
    auto plan = as_host_root("true");
    plan.mounts = {{.source = volume.string(), .target = "/v"}, {.source = source.string(), .target = "/v/part/below"}};
    output_or_refusal(plan);
  }
  expect_untouched();
}

TEST_P(ImageEscape, AMountSourceThatChangesLeadsNowhereElse) {
  auto volume = made("volume");
  make_directories(volume / "part", 0755);
  fs::create_directory_symlink(outside_, volume / "way-out");
  Flipper flipper(volume / "part", volume / "way-out");
  for (int i = 0; i < 15; ++i) {
    auto plan = as_host_root("ls /direct /beneath");
    plan.mounts = {{.source = (volume / "part").string(), .target = "/direct"},
                   {.source = volume.string(), .target = "/beneath", .beneath = "part"}};
    EXPECT_EQ(output_or_refusal(plan).find("secret"), std::string::npos);
  }
  expect_untouched();
}

// CVE-2025-31133 and CVE-2025-52565: what is hidden is hidden behind the host's /dev/null and shown on a console made
// by the launcher, whatever the image has in their places.
TEST_P(ImageEscape, DevicesOfTheImageHideNothing) {
  for (bool terminal : {false, true}) {
    for (const char* name : {"null", "console", "pts", "ptmx", "tty"}) {
      std::error_code ignored;
      fs::remove(layer_ / "dev" / name, ignored);
      fs::create_symlink("/proc/sys/kernel/core_pattern", layer_ / "dev" / name);
    }
    auto plan = as_host_root(
        "stat -c %t:%T /dev/null; head -c 1 /proc/kcore 2>/dev/null | wc -c; cat /proc/timer_list /proc/keys | wc -c; "
        "(echo x > /proc/sys/kernel/core_pattern) 2>/dev/null && echo written; (echo x > /proc/sysrq-trigger) "
        "2>/dev/null "
        "&& echo written; grep -c ' /proc/sys ' /proc/self/mountinfo");
    plan.tty = terminal;
    auto before = read_file("/proc/sys/kernel/core_pattern");
    auto text = output_or_refusal(plan);
    std::erase(text, '\r');
    EXPECT_TRUE(text.empty() || text == "1:3\n0\n0\n1\n") << text;
    EXPECT_EQ(read_file("/proc/sys/kernel/core_pattern"), before);
  }
}

// CVE-2019-16884, CVE-2025-52881: settings written through a /proc that is the image's or a volume's go elsewhere.
TEST_P(ImageEscape, NothingIsWrittenThroughAFalseProc) {
  auto volume = made("volume");
  make_directories(volume / "sys/net/ipv4", 0755);
  make_directories(volume / "self/attr", 0755);
  const std::vector<fs::path> baits = {volume / "sys/net/ipv4/ip_unprivileged_port_start", volume / "self/attr/exec",
                                       volume / "self/oom_score_adj", volume / "self/uid_map"};
  for (const auto& bait : baits) write_file(bait, "bait\n", 0666);
  fs::remove(layer_ / "proc");
  fs::create_symlink("/v", layer_ / "proc");
  auto plan = as_host_root("echo ran");
  plan.oom_score_adj = 300;
  plan.mounts = {{.source = volume.string(), .target = "/v"}};
  output_or_refusal(plan);
  for (const auto& bait : baits) EXPECT_EQ(read_file(bait), "bait\n") << bait;
}

TEST_P(ImageEscape, TheHostsSettingsAreRefused) {
  constexpr const char* kName = "/proc/sys/kernel/core_pattern";
  auto plan = as_host_root("echo ran");
  auto before = read_file(kName);
  plan.sysctls = {{"kernel.core_pattern", before.substr(0, before.find('\n'))}};
  EXPECT_EQ(output_or_refusal(plan), "");
  plan = as_host_root("echo ran");
  plan.namespaces.network.whose = NamespaceChoice::Whose::host;
  auto ttl = read_file("/proc/sys/net/ipv4/ip_default_ttl");
  plan.sysctls = {{"net.ipv4.ip_default_ttl", ttl.substr(0, ttl.find('\n'))}};
  EXPECT_EQ(output_or_refusal(plan), "");
}

INSTANTIATE_TEST_SUITE_P(Each, ImageEscape, testing::Values(Launcher::crun, Launcher::native),
                         [](const auto& tested) { return tested.param == Launcher::crun ? "crun" : "native"; });

// CVE-2019-5736 again: what the program can be told to execute is a copy that nobody can write.
TEST_F(RuntimeTest, TheLaunchersProgramIsSealed) {
  auto plan = shell("true");
  plan.user_namespace.reset();
  run([&]() -> task<> {
    auto created = co_await runtime_->create(plan);
    Fd program(::open(("/proc/" + std::to_string(created.pid) + "/exe").c_str(), O_RDONLY | O_CLOEXEC));
    EXPECT_TRUE(program);
    int seals = program ? ::fcntl(program.get(), F_GET_SEALS) : 0;
    EXPECT_TRUE(seals >= 0 && (seals & F_SEAL_WRITE) != 0 && (seals & F_SEAL_SEAL) != 0) << seals;
    co_await runtime_->remove(plan.id);
  });
}

}  // namespace
}  // namespace gantry::runtime
