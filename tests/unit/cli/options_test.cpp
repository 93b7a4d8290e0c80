#include "options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gantry/base/error.h"
#include "gantry/base/json.h"
#include "run_options.h"

namespace gantry::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct Sample {
  bool interactive = false, tty = false;
  std::string file;
  std::optional<std::string> grace;
  std::vector<std::string> env, words;
  std::string name;
  Options options;
  Sample() {
    options.flag("-i,--interactive", interactive, "")
        .flag("-t,--tty", tty, "")
        .value("-f,--file", "FILE", file, "")
        .value("--grace", "SPAN", grace, "")
        .list("-e,--env", "KEY", env, "")
        .required("NAME", name)
        .rest("WORD", words);
  }
};

TEST(Options, ShortOnesCombineAndListsDoNotSwallowWords) {
  Sample sample;
  sample.options.parse({"-it", "-e", "A=1", "web", "--env=B=2", "x", "-fcompose.yaml"});
  EXPECT_TRUE(sample.interactive && sample.tty);
  EXPECT_THAT(sample.env, ElementsAre("A=1", "B=2"));
  EXPECT_EQ(sample.name, "web");
  EXPECT_THAT(sample.words, ElementsAre("x"));
  EXPECT_EQ(sample.file, "compose.yaml");
  EXPECT_EQ(sample.grace, std::nullopt);
}

TEST(Options, TheLastValueCounts) {
  Sample sample;
  sample.options.parse({"--file", "a", "web", "--file", "b", "--grace", "0"});
  EXPECT_EQ(sample.file, "b");
  EXPECT_EQ(sample.grace, "0");
}

TEST(Options, WordsAfterTwoDashesAreNotOptions) {
  Sample sample;
  sample.options.parse({"web", "--", "-x", "--tty"});
  EXPECT_THAT(sample.words, ElementsAre("-x", "--tty"));
  EXPECT_FALSE(sample.tty);
}

TEST(Options, TheProgramsOptionsAreItsOwn) {
  Sample sample;
  sample.options.stop_at_first_word().parse({"-i", "web", "sh", "-c", "ls -t", "--", "-i"});
  EXPECT_EQ(sample.name, "web");
  EXPECT_THAT(sample.words, ElementsAre("sh", "-c", "ls -t", "--", "-i"));
  EXPECT_FALSE(sample.tty);
}

TEST(Options, AnUnknownOptionNamesTheNearest) {
  for (bool stops : {false, true}) {
    Sample sample;
    if (stops) sample.options.stop_at_first_word();
    try {
      sample.options.parse({"--interactiv", "web"});
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid);
      EXPECT_EQ(error.message(), "unknown option '--interactiv'");
      EXPECT_EQ(error.fix(), "did you mean '--interactive'?");
    }
  }
}

TEST(Options, MissingAndSuperfluousArguments) {
  Sample sample;
  EXPECT_THROW(sample.options.parse({}), Error);
  EXPECT_THROW(sample.options.parse({"web", "--file"}), Error);
  std::string one;
  Options single;
  single.required("ONE", one);
  EXPECT_THROW(single.parse({"a", "b"}), Error);
}

engine::ContainerSpec spec_of(std::vector<std::string> words) {
  RunFlags flags;
  Options options;
  std::string image;
  std::vector<std::string> command;
  declare_run_flags(options, flags);
  options.required("IMAGE", image).rest("COMMAND", command).stop_at_first_word();
  options.parse(words);
  RunSurroundings surroundings{"/here", {{"HOME", "/root"}}, [](const auto& path) { return "FROM=" + path.string(); }};
  return make_spec(flags, surroundings);
}

TEST(RunOptions, EverythingLandsInTheSpec) {
  auto spec = spec_of({"-it",
                       "--rm",
                       "--name",
                       "web",
                       "-e",
                       "A=1",
                       "-e",
                       "HOME",
                       "--env-file",
                       "f",
                       "-p",
                       "8080:80",
                       "-v",
                       "data:/data",
                       "--tmpfs",
                       "/run",
                       "-m",
                       "64m",
                       "--cpus",
                       "1.5",
                       "--pids-limit",
                       "50",
                       "--cap-add",
                       "NET_ADMIN",
                       "--userns",
                       "host",
                       "--stop-timeout",
                       "3",
                       "--health-cmd",
                       "true",
                       "--health-retries",
                       "2",
                       "--network",
                       "back",
                       "--network-alias",
                       "w",
                       "--label",
                       "a=b",
                       "--ulimit",
                       "nofile=10",
                       "--entrypoint",
                       "sh",
                       "-h",
                       "box",
                       "--log-opt",
                       "max-size=1m",
                       "image",
                       "-c",
                       "x"});
  EXPECT_TRUE(spec.open_stdin && spec.tty && spec.auto_remove);
  EXPECT_EQ(spec.name, "web");
  EXPECT_THAT(spec.environment, ElementsAre("FROM=f", "A=1", "HOME=/root"));
  EXPECT_EQ(spec.ports.at(0).host_port, 8080);
  EXPECT_EQ(spec.mounts.size(), 2u);
  EXPECT_EQ(spec.resources.memory, 64u << 20);
  EXPECT_EQ(spec.resources.cpus, 1.5);
  EXPECT_EQ(spec.resources.pids, 50);
  EXPECT_THAT(spec.security.cap_add, ElementsAre("NET_ADMIN"));
  EXPECT_EQ(spec.security.user_namespace, engine::UserNamespace::host);
  EXPECT_EQ(spec.stop_grace, std::chrono::seconds(3));
  EXPECT_EQ(spec.health->shell, "true");
  EXPECT_EQ(spec.health->retries, 2);
  EXPECT_EQ(spec.networks.at(0).network, "back");
  EXPECT_THAT(spec.networks.at(0).aliases, ElementsAre("w"));
  EXPECT_EQ(spec.labels.at("a"), "b");
  EXPECT_EQ(spec.hostname, "box");
  EXPECT_EQ(spec.log.max_size, 1u << 20);
  EXPECT_THAT(*spec.entrypoint, ElementsAre("sh"));
}

TEST(RunOptions, TheDefaultIsTheSafeSpec) {
  auto spec = spec_of({"image"});
  EXPECT_EQ(json::to_text(spec), json::to_text(engine::ContainerSpec{}));
}

TEST(RunOptions, WhatIsSharedAndGiven) {
  auto spec = spec_of({"--network",
                       "container:web",
                       "--pid",
                       "host",
                       "--ipc",
                       "shareable",
                       "--device",
                       "/dev/fuse:r",
                       "--device",
                       "/dev/a:/dev/b",
                       "--device",
                       "acme.com/gpu=0",
                       "--group-add",
                       "audio",
                       "--security-opt",
                       "seccomp=/p.json",
                       "--memory-swap",
                       "-1",
                       "--cpu-quota",
                       "50000",
                       "--device-read-bps",
                       "/dev/sda:1m",
                       "--volumes-from",
                       "db:ro",
                       "--link",
                       "db:database",
                       "--dns-search",
                       ".",
                       "-P",
                       "x"});
  using engine::NamespaceMode;
  EXPECT_EQ(spec.namespaces.network->container, "web");
  EXPECT_EQ(spec.namespaces.pid->mode, NamespaceMode::host);
  EXPECT_EQ(spec.namespaces.ipc->mode, NamespaceMode::shareable);
  ASSERT_EQ(spec.devices.size(), 2u);
  EXPECT_EQ(spec.devices[0].access, "r");
  EXPECT_EQ(spec.devices[1].target, "/dev/b");
  EXPECT_THAT(spec.cdi_devices, ElementsAre("acme.com/gpu=0"));
  EXPECT_THAT(spec.group_add, ElementsAre("audio"));
  EXPECT_EQ(spec.security.seccomp_profile, "FROM=/p.json");
  EXPECT_EQ(spec.resources.memory_swap, engine::kUnlimited);
  EXPECT_EQ(spec.resources.cpu_quota, 50000);
  EXPECT_EQ(spec.resources.block_io->read_bps.at(0).value, 1u << 20);
  EXPECT_TRUE(spec.volumes_from.at(0).read_only);
  EXPECT_EQ(spec.links.at(0).alias, "database");
  EXPECT_TRUE(spec.publish_all);
  auto addressed = spec_of({"--mac-address", "02:00:00:00:00:01", "x"});
  EXPECT_EQ(addressed.networks.at(0).network, engine::kDefaultNetwork);
  EXPECT_EQ(addressed.networks.at(0).mac, "02:00:00:00:00:01");
}

TEST(RunOptions, ContradictionsAreRefused) {
  EXPECT_THROW(spec_of({"--rm", "--restart", "always", "x"}), Error);
  EXPECT_THROW(spec_of({"--network-alias", "w", "x"}), Error);
  EXPECT_THROW(spec_of({"--health-interval", "1s", "x"}), Error);
  EXPECT_THROW(spec_of({"--pid", "none:1", "x"}), Error);
  EXPECT_THROW(spec_of({"--device", "/dev/a:b:c", "x"}), Error);
  EXPECT_TRUE(spec_of({"--network", "none", "x"}).no_network);
}

}  // namespace
}  // namespace gantry::cli
