#include "resolve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gantry/base/error.h"

namespace gantry::engine {
namespace {

using testing::ElementsAre;

oci::RunConfig web() {
  oci::RunConfig image;
  image.Entrypoint = {"/entry"};
  image.Cmd = {"serve"};
  image.Env = {"PATH=/bin", "MODE=fast"};
  return image;
}

ContainerSpec spec() { return {.image = "web"}; }

TEST(Resolve, TheImageAloneIsEnough) {
  auto image = web();
  image.User = "app";
  image.WorkingDir = "/srv/";
  image.StopSignal = "SIGQUIT";
  auto out = resolve(spec(), image);
  EXPECT_THAT(out.argv, ElementsAre("/entry", "serve"));
  EXPECT_EQ(out.user, "app");
  EXPECT_EQ(out.working_dir, "/srv");
  EXPECT_EQ(out.stop_signal, "SIGQUIT");
}

TEST(Resolve, ACommandReplacesTheImagesCommandOnly) {
  auto wanted = spec();
  wanted.command = {"migrate", "now"};
  EXPECT_THAT(resolve(wanted, web()).argv, ElementsAre("/entry", "migrate", "now"));
}

TEST(Resolve, AnEntrypointDropsTheImagesCommand) {
  auto wanted = spec();
  wanted.entrypoint = {"/bin/sh"};
  EXPECT_THAT(resolve(wanted, web()).argv, ElementsAre("/bin/sh"));
  wanted.command = {"-c", "true"};
  EXPECT_THAT(resolve(wanted, web()).argv, ElementsAre("/bin/sh", "-c", "true"));
}

TEST(Resolve, NoProgramAtAllIsRefused) { EXPECT_THROW(resolve(spec(), {}), Error); }

TEST(Resolve, TheUsersEnvironmentWins) {
  auto wanted = spec();
  wanted.environment = {"MODE=slow", "EXTRA=a=b", "PATH"};
  EXPECT_THAT(resolve(wanted, web()).environment, ElementsAre("MODE=slow", "EXTRA=a=b"));
}

TEST(Resolve, AnImagesVolumesAreMountedUnlessCovered) {
  auto image = web();
  image.Volumes = {{"/data", {}}, {"/cache", {}}};
  auto wanted = spec();
  wanted.mounts = {{.type = MountType::tmpfs, .target = "/cache/"}};
  auto out = resolve(wanted, image).mounts;
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(out[0].target, "/cache");
  EXPECT_EQ(out[0].type, MountType::tmpfs);
  EXPECT_EQ(out[1].target, "/data");
  EXPECT_EQ(out[1].type, MountType::volume);
  EXPECT_TRUE(out[1].source.empty());
}

TEST(Resolve, ParentsAreMountedBeforeChildren) {
  auto wanted = spec();
  wanted.mounts = {{.type = MountType::tmpfs, .target = "/a/b"}, {.type = MountType::tmpfs, .target = "/a"}};
  auto out = resolve(wanted, web()).mounts;
  EXPECT_EQ(out[0].target, "/a");
}

TEST(Resolve, TheHealthCheckOfTheImageUnlessSwitchedOff) {
  auto image = web();
  image.Healthcheck = oci::HealthConfig{.Test = {"CMD-SHELL", "curl -f localhost"}, .Retries = 7};
  auto out = resolve(spec(), image);
  ASSERT_TRUE(out.health);
  EXPECT_THAT(out.health->test, ElementsAre("/bin/sh", "-c", "curl -f localhost"));
  EXPECT_EQ(out.health->retries, 7);
  auto wanted = spec();
  wanted.health = HealthCheck{.disable = true};
  EXPECT_FALSE(resolve(wanted, image).health);
  image.Healthcheck->Test = {"NONE"};
  EXPECT_FALSE(resolve(spec(), image).health);
}

TEST(Resolve, TheUsersTimesWithTheImagesTest) {
  auto image = web();
  image.Healthcheck = oci::HealthConfig{.Test = {"CMD", "/check"}};
  auto wanted = spec();
  wanted.health = HealthCheck{.interval = std::chrono::seconds(1)};
  auto out = resolve(wanted, image);
  EXPECT_THAT(out.health->test, ElementsAre("/check"));
  EXPECT_EQ(out.health->interval, std::chrono::seconds(1));
}

TEST(RequireValid, NamesWhatIsWrong) {
  auto refused = [](auto change) {
    ContainerSpec wanted{.name = "web", .image = "web"};
    change(wanted);
    try {
      require_valid(wanted);
      return std::string();
    } catch (const Error& error) {
      EXPECT_FALSE(error.fix().empty() && error.message().empty());
      return error.message();
    }
  };
  EXPECT_EQ(refused([](auto&) {}), "");
  EXPECT_NE(refused([](auto& s) { s.name = "a b"; }), "");
  EXPECT_NE(refused([](auto& s) { s.mounts = {{.type = MountType::bind, .source = "rel", .target = "/x"}}; }), "");
  EXPECT_NE(refused([](auto& s) { s.mounts = {{.target = "/x"}, {.target = "/x/"}}; }), "");
  EXPECT_NE(refused([](auto& s) { s.resources.memory = 1000; }), "");
  EXPECT_NE(refused([](auto& s) { s.sysctls["vm.swappiness"] = "1"; }), "");
  EXPECT_EQ(refused([](auto& s) { s.sysctls["net.core.somaxconn"] = "1"; }), "");
  EXPECT_NE(refused([](auto& s) { s.ulimits = {{"nofiles", 1, 1}}; }), "");
  EXPECT_NE(refused([](auto& s) { s.stop_signal = "SIGNOPE"; }), "");
  EXPECT_NE(refused([](auto& s) {
              s.auto_remove = true;
              s.restart.mode = RestartMode::always;
            }),
            "");
  EXPECT_NE(refused([](auto& s) { s.resources.cpu_realtime_runtime = 1000; }), "");
  EXPECT_NE(refused([](auto& s) { s.storage_options["size"] = "1g"; }), "");
}

}  // namespace
}  // namespace gantry::engine
