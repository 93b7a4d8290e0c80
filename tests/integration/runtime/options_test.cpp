#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "fixture.h"

// Devices, profiles, mounts and limits that a plan may ask for.
namespace gantry::runtime {
namespace {

class Options : public RuntimeTest {
 protected:
  ErrorKind refusal(const Plan& plan) {
    auto kind = ErrorKind::internal;
    run([&]() -> task<> {
      try {
        co_await runtime_->create(plan);
        ADD_FAILURE() << "created";
      } catch (const Error& error) {
        kind = error.kind();
      }
    });
    return kind;
  }
  std::filesystem::path made(const char* name) {
    make_directories(directory_.path() / name, 0755);
    return directory_.path() / name;
  }
};

/// Some device of the machine that no container has by itself.
std::string a_device() {
  for (const char* path : {"/dev/net/tun", "/dev/fuse", "/dev/vda", "/dev/loop-control"}) {
    struct stat info {};
    if (::stat(path, &info) == 0 && (S_ISCHR(info.st_mode) || S_ISBLK(info.st_mode))) return path;
  }
  return {};
}

TEST_F(Options, ADeviceIsTheContainersOwn) {
  auto device = a_device();
  ASSERT_FALSE(device.empty());
  for (bool mapped : {true, false}) {
    auto plan =
        shell("stat -c '%F %u:%g' /dev/own; : < /dev/own && echo opened; (: > /dev/own) 2>/dev/null || echo closed");
    if (!mapped) plan.user_namespace.reset();
    plan.devices = {{.source = device, .target = "/dev/own", .access = "r"}};
    auto text = output_of(plan);
    EXPECT_NE(text.find("special file 0:"), std::string::npos) << text;
    EXPECT_NE(text.find("opened\nclosed\n"), std::string::npos) << text;
  }
}

TEST_F(Options, ADeviceThatIsNoneIsRefused) {
  auto plan = shell("true");
  plan.devices = {{.source = "/dev/not-there", .target = "/dev/x", .access = "rwm"}};
  EXPECT_EQ(refusal(plan), ErrorKind::not_found);
  plan = shell("true");
  plan.devices = {{.source = "/etc/passwd", .target = "/dev/x", .access = "rwm"}};
  EXPECT_EQ(refusal(plan), ErrorKind::invalid);
}

TEST_F(Options, ADeviceRuleOpensWhatIsMadeLater) {
  auto device = a_device();
  struct stat info {};
  ASSERT_EQ(::stat(device.c_str(), &info), 0);
  auto plan =
      shell("mknod /tmp/x " + std::string(S_ISCHR(info.st_mode) ? "c " : "b ") + std::to_string(major(info.st_rdev)) +
            " " + std::to_string(minor(info.st_rdev)) + "; (: < /tmp/x) 2>/dev/null && echo opened || echo closed");
  plan.user_namespace.reset();
  EXPECT_EQ(output_of(plan), "closed\n");
  plan.id = make_id<ContainerId>();
  plan.state_dir = made("again") / "state";
  plan.device_rules = {{.type = S_ISCHR(info.st_mode) ? 'c' : 'b', .major = major(info.st_rdev), .access = "rwm"}};
  plan.argv[2] = "rm -f /tmp/x; " + plan.argv[2];
  EXPECT_EQ(output_of(plan), "opened\n");
}

TEST_F(Options, ASeccompProfileInDockersFormat) {
  auto plan = shell("mkdir /tmp/a 2>/dev/null && echo made || echo refused; ls / > /dev/null && echo listed");
  plan.seccomp_profile = R"({"defaultAction":"SCMP_ACT_ALLOW","archMap":[{"architecture":"SCMP_ARCH_X86_64",
    "subArchitectures":["SCMP_ARCH_X86"]},{"architecture":"SCMP_ARCH_AARCH64","subArchitectures":null}],
    "syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","args":null,"includes":{},"excludes":{}},
    {"names":["getdents64"],"action":"SCMP_ACT_ERRNO","excludes":{"caps":["CAP_CHOWN"]}}]})";
  EXPECT_EQ(output_of(plan), "refused\nlisted\n");
  EXPECT_THROW(require_seccomp_profile("/etc/profile.json"), Error);
  EXPECT_THROW(require_seccomp_profile("{}"), Error);
}

TEST_F(Options, OtherPathsAreHidden) {
  auto plan = shell(
      "cat /proc/interrupts | wc -c; (echo x > /proc/sys/kernel/hostname) 2>/dev/null || echo refused; "
      "cat /proc/self/mounts | grep -c ' /proc/'");
  plan.masked_paths = {"/proc/interrupts"};
  plan.readonly_paths = {"/proc/sys"};
  EXPECT_EQ(output_of(plan), "0\nrefused\n2\n");
}

TEST_F(Options, NamesAndScores) {
  auto plan = shell("cat /proc/sys/kernel/domainname /proc/self/oom_score_adj");
  plan.domain_name = "example.org";
  plan.oom_score_adj = 300;
  EXPECT_EQ(output_of(plan), "example.org\n300\n");
}

TEST_F(Options, AScoreTheMachineRefusesIsRaised) {
  auto plan = shell("cat /proc/self/oom_score_adj");
  plan.oom_score_adj = -1000;
  auto text = output_of(plan);
  EXPECT_TRUE(text == "-1000\n" || text == read_file("/proc/self/oom_score_adj")) << text;
}

TEST_F(Options, TmpfsOptions) {
  auto plan = shell("cp /bin/busybox /scratch/; /scratch/busybox echo ran; stat -c %u:%g:%a /scratch");
  plan.argv[2] =
      "cat /bin/busybox > /scratch/busybox; chmod 755 /scratch/busybox; /scratch/busybox echo ran; stat -c %u:%g:%a "
      "/scratch";
  plan.mounts = {{.kind = PlannedMount::Kind::tmpfs,
                  .target = "/scratch",
                  .mode = 0750,
                  .options = {"exec", "uid=7", "gid=8", "noatime"}}};
  EXPECT_EQ(output_of(plan), "ran\n7:8:750\n");
}

TEST_F(Options, AVolumesSubdirectoryLeadsNowhereElse) {
  auto volume = made("volume");
  make_directories(volume / "part", 0755);
  write_file(volume / "part/file", "inside\n", 0644);
  std::filesystem::create_symlink("/etc", volume / "out");
  std::filesystem::create_symlink("part", volume / "in");
  auto plan = shell("cat /v/file");
  plan.mounts = {{.source = volume.string(), .target = "/v", .beneath = "in"}};
  EXPECT_EQ(output_of(plan), "inside\n");
  plan = shell("true");
  plan.mounts = {{.source = volume.string(), .target = "/v", .beneath = "out"}};
  EXPECT_EQ(refusal(plan), ErrorKind::invalid);
  plan = shell("true");
  plan.mounts = {{.source = volume.string(), .target = "/v", .beneath = "missing"}};
  EXPECT_EQ(refusal(plan), ErrorKind::not_found);
}

class Propagated : public Options {
 protected:
  Propagated() : place_(made("place")) {
    EXPECT_EQ(::mount("place", place_.c_str(), "tmpfs", 0, ""), 0);
    EXPECT_EQ(::mount(nullptr, place_.c_str(), nullptr, MS_SHARED, nullptr), 0);
    make_directories(place_ / "below", 0755);
    EXPECT_EQ(::mount("below", (place_ / "below").c_str(), "tmpfs", 0, ""), 0);
    write_file(place_ / "below/file", "below\n", 0644);
  }
  ~Propagated() override {
    ::umount2((place_ / "later").c_str(), MNT_DETACH);
    ::umount2((place_ / "below").c_str(), MNT_DETACH);
    ::umount2(place_.c_str(), MNT_DETACH);
  }
  void TearDown() override {
    ::umount2((place_ / "later").c_str(), MNT_DETACH);
    ::umount2((place_ / "below").c_str(), MNT_DETACH);
    ::umount2(place_.c_str(), MNT_DETACH);
    RuntimeTest::TearDown();
  }
  PlannedMount bound() {
    PlannedMount out{.source = place_.string(), .target = "/p"};
    out.id_mapped = false;
    return out;
  }
  std::filesystem::path place_;
};

TEST_F(Propagated, WithAndWithoutWhatLiesBelow) {
  for (bool recursive : {true, false}) {
    auto plan = shell("cat /p/below/file 2>/dev/null || echo nothing");
    // crun 1.8 leaves out what lies below in a user namespace of the container's own.
    if (plan.launcher == Launcher::crun) plan.user_namespace.reset();
    plan.mounts = {bound()};
    plan.mounts[0].recursive = recursive;
    EXPECT_EQ(output_of(plan), recursive ? "below\n" : "nothing\n");
  }
}

TEST_F(Propagated, ReadOnlyMeansAllOfItUnlessSaidOtherwise) {
  const char* script = "(: > /p/x) 2>/dev/null || echo top; (: > /p/below/x) 2>/dev/null || echo below";
  auto plan = shell(script);
  plan.user_namespace.reset();
  plan.mounts = {bound()};
  plan.mounts[0].read_only = true;
  EXPECT_EQ(output_of(plan), "top\nbelow\n");
  plan = shell(script);
  plan.user_namespace.reset();
  plan.mounts = {bound()};
  plan.mounts[0].read_only = true;
  plan.mounts[0].read_only_recursive = false;
  EXPECT_EQ(output_of(plan), "top\n");
}

TEST_F(Propagated, LaterMountsOfTheHostArriveWhenAsked) {
  auto wait =
      "for i in $(seq 50); do test -e /p/later/file && break; sleep 0.1; done; cat /p/later/file 2>/dev/null || echo "
      "nothing";
  for (bool follows : {true, false}) {
    auto plan = shell(follows ? wait : "sleep 1; cat /p/later/file 2>/dev/null || echo nothing");
    plan.mounts = {bound()};
    if (follows) plan.mounts[0].propagation = MountPropagation::rslave;
    make_directories(place_ / "later", 0755);
    run([&]() -> task<> {
      co_await runtime_->create(plan);
      co_await runtime_->start(plan.id);
      EXPECT_EQ(::mount("later", (place_ / "later").c_str(), "tmpfs", 0, ""), 0);
      write_file(place_ / "later/file", "later\n", 0644);
      co_await runtime_->wait(plan.id);
      co_await runtime_->remove(plan.id);
    });
    ::umount2((place_ / "later").c_str(), MNT_DETACH);
    EXPECT_EQ(log_of(plan), follows ? "later\n" : "nothing\n");
  }
}

TEST_F(Propagated, MountsOfTheContainerReachTheHostWhenShared) {
  make_directories(place_ / "later", 0755);
  auto plan = shell("mount -t tmpfs inner /p/later && echo inner > /p/later/file; sleep 100");
  plan.user_namespace.reset();
  plan.capabilities.push_back("CAP_SYS_ADMIN");
  plan.mounts = {bound()};
  plan.mounts[0].propagation = MountPropagation::rshared;
  run([&]() -> task<> {
    co_await runtime_->create(plan);
    co_await runtime_->start(plan.id);
    for (int i = 0; i < 50 && !std::filesystem::exists(place_ / "later/file"); ++i)
      co_await sleep_for(std::chrono::milliseconds(100));
    EXPECT_EQ(read_file_if_exists(place_ / "later/file").value_or(""), "inner\n");
    co_await runtime_->kill_all(plan.id);
    co_await runtime_->wait(plan.id);
    co_await runtime_->remove(plan.id);
  });
}

TEST_F(Options, HooksMakeCrunLaunchVisibly) {
  auto plan = shell("true");
  auto proof = directory_.path() / "hook-ran";
  plan.hooks = {{.stage = "createRuntime", .path = "/usr/bin/touch", .args = {"touch", proof.string()}}};
  run([&]() -> task<> {
    auto created = co_await runtime_->create(plan);
    EXPECT_EQ(created.launcher, Launcher::crun);
    EXPECT_EQ(created.handed_over.empty(), plan.launcher == Launcher::crun);
    co_await runtime_->start(plan.id);
    co_await runtime_->wait(plan.id);
    co_await runtime_->remove(plan.id);
  });
  EXPECT_TRUE(std::filesystem::exists(proof));
}

TEST_F(Options, ProcessorTime) {
  auto plan = shell(
      "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.cfs_period_us 2>/dev/null || tr ' ' '\\n' < "
      "/sys/fs/cgroup/cpu.max");
  plan.cpu_quota = 25000;
  plan.cpu_period = 50000;
  EXPECT_EQ(output_of(plan), "25000\n50000\n");
}

TEST_F(Options, WhatTheGroupsDoNotKnowIsLeftOut) {
  auto plan = shell("echo runs");
  plan.block_io = PlannedBlockIo{.weight = 300};
  plan.memory_swappiness = 30;
  EXPECT_EQ(output_of(plan), "runs\n");
}

}  // namespace
}  // namespace gantry::runtime
