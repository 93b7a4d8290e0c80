#include <sys/utsname.h>

#include <cstdio>

#include "fixture.h"

namespace gantry::engine {
namespace {

using testing::HasSubstr;

// A tmpfs can be mounted with mapped ids since Linux 6.3; before, the start is refused with the reason.
bool tmpfs_maps_ids() {
  utsname name{};
  int major = 0, minor = 0;
  if (::uname(&name) < 0 || std::sscanf(name.release, "%d.%d", &major, &minor) != 2) return false;
  return major > 6 || (major == 6 && minor >= 3);
}

class EngineVolumes : public EngineTest {
 protected:
  volume::VolumeInfo make_volume(const std::string& name, std::map<std::string, std::string> options) {
    volume::VolumeSpec spec;
    spec.name = name;
    spec.options = std::move(options);
    return engine().volumes().ensure(spec, nullptr);
  }
  ContainerSpec user_of(const std::string& volume, const std::string& script) {
    auto spec = shell(script);
    spec.mounts.push_back({.type = MountType::volume, .source = volume, .target = "/data"});
    return spec;
  }
  bool is_mounted(const std::string& name) { return engine().volumes().is_mounted(engine().volumes().inspect(name)); }
  bool unmounted_soon(const std::string& name) {
    return eventually([&] { return !is_mounted(name); });
  }
  void stop(const ContainerId& id) {
    run([&]() -> task<> { co_await engine().stop(id, Duration::zero()); });
  }
};

TEST_F(EngineVolumes, ATmpfsIsSharedAndGoneWithItsLastUser) {
  if (!tmpfs_maps_ids()) GTEST_SKIP() << "this kernel maps no ids on a tmpfs";
  make_volume("scratch", {{"type", "tmpfs"}, {"device", "tmpfs"}, {"o", "size=1m"}});
  auto one = start(user_of("scratch", "echo hello > /data/file; exec sleep 1000"));
  EXPECT_TRUE(is_mounted("scratch"));
  auto two = start(user_of("scratch", "exec sleep 1000"));
  EXPECT_TRUE(eventually([&] { return exec(two, {"cat", "/data/file"}).find("hello") != std::string::npos; }));
  EXPECT_THAT(exec(two, {"df", "/data"}), HasSubstr("1024"));
  stop(one);
  restart_daemon();
  EXPECT_TRUE(is_mounted("scratch")) << "somebody runs who has it";
  EXPECT_THAT(exec(two, {"cat", "/data/file"}), HasSubstr("hello"));
  stop(two);
  EXPECT_TRUE(unmounted_soon("scratch"));
  EXPECT_THAT(output(user_of("scratch", "ls /data")), testing::Not(HasSubstr("file")));
  EXPECT_TRUE(unmounted_soon("scratch"));
}

TEST_F(EngineVolumes, ADirectoryOfTheHostIsNeitherClearedNorRemoved) {
  TemporaryDirectory elsewhere("/tmp", "gantry-volume-test-");
  write_file(elsewhere.path() / "kept", "precious\n", 0644);
  std::filesystem::permissions(elsewhere.path(), std::filesystem::perms(0755));
  make_volume("srv", {{"type", "none"}, {"device", elsewhere.path().string()}, {"o", "bind"}});
  EXPECT_THAT(output(user_of("srv", "cat /data/kept")), HasSubstr("precious"));
  EXPECT_TRUE(unmounted_soon("srv"));
  remove_all();
  engine().volumes().remove("srv");
  EXPECT_EQ(read_file(elsewhere.path() / "kept"), "precious\n");
}

TEST_F(EngineVolumes, WhatIsLeftMountedByADeathIsTakenAway) {
  if (!tmpfs_maps_ids()) GTEST_SKIP() << "this kernel maps no ids on a tmpfs";
  make_volume("scratch", {{"type", "tmpfs"}, {"device", "tmpfs"}});
  auto one = start(user_of("scratch", "exec sleep 1000"));
  reboot();
  EXPECT_TRUE(unmounted_soon("scratch"));
}

TEST_F(EngineVolumes, AMountThatFailsSaysWhy) {
  make_volume("broken", {{"type", "nosuchfs"}, {"device", "none"}});
  auto id = create(user_of("broken", "true"));
  auto error = refusal([&]() -> task<> { co_await engine().start(id); });
  EXPECT_THAT(error.message(), HasSubstr("failed to mount local volume"));
  EXPECT_EQ(info(id).state, State::created);
}

TEST_F(EngineVolumes, PruneTakesWhatNobodyHas) {
  make_volume("idle", {});
  make_volume("used", {});
  auto id = create(user_of("used", "true"));
  EXPECT_EQ(engine().volumes().inspect("used").users, std::vector<ContainerId>{id});
  auto removed = engine().volumes().prune([](const volume::VolumeInfo&) { return true; });
  ASSERT_EQ(removed.size(), 1u);
  EXPECT_EQ(removed.front().name, "idle");
}

}  // namespace
}  // namespace gantry::engine
