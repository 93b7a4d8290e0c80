#include <gmock/gmock.h>

#include "fake_daemon.h"

namespace gantry::cli {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST_F(ClientTest, HelpNeedsNoDaemon) {
  auto overview = gantry({"--help"});
  EXPECT_EQ(overview.status.code, 0);
  EXPECT_THAT(overview.out, StartsWith("Usage: gantry"));
  EXPECT_EQ(gantry({}).status.code, 2);
  EXPECT_THAT(gantry({"run", "--help"}).out, HasSubstr("--publish"));
  EXPECT_THAT(gantry({"help", "image", "bootstrap"}).out, HasSubstr("Examples:"));
  EXPECT_THAT(gantry({"image"}).out, HasSubstr("image bootstrap"));
  EXPECT_EQ(gantry({"--version"}).status.code, 0);
}

TEST_F(ClientTest, UsageErrorsEndWithTwoAndNameTheNearest) {
  auto typo = gantry({"upp"});
  EXPECT_EQ(typo.status.code, 2);
  EXPECT_EQ(typo.err, "gantry: unknown command 'upp'\nfix: did you mean 'gantry up'?\n");
  EXPECT_EQ(gantry({"image", "lst"}).status.code, 2);
  EXPECT_EQ(gantry({"ps", "--al"}).status.code, 2);
  EXPECT_EQ(gantry({"--hots", "x", "ps"}).status.code, 2);
  EXPECT_EQ(gantry({"stop"}).status.code, 2);
  EXPECT_EQ(gantry({"--host", "tcp://1.2.3.4", "ps"}).status.code, 2);
  EXPECT_THAT(gantry({"ps", "--format", "{{.Names}}"}).err, HasSubstr("templates are not supported"));
}

TEST_F(ClientTest, WithoutADaemonItSaysSo) {
  auto ps = gantry({"ps"});
  EXPECT_EQ(ps.status.code, 125);
  EXPECT_THAT(ps.err, HasSubstr("cannot connect to gantryd"));
  EXPECT_THAT(ps.err, HasSubstr("fix: "));
  EXPECT_EQ(gantry({"run", "--rm", "x"}).status.code, 125);
  EXPECT_EQ(gantry({"version"}).status.code, 125);
}

TEST_F(ClientTest, DoctorAsksTheProgramWhenTheDaemonIsNotRunning) {
  auto beside = directory.path() / "bin";
  make_directories(beside);
  std::filesystem::copy_file(GANTRY_PROGRAM, beside / "gantry");
  write_file(beside / "gantryd",
             "#!/bin/sh\n[ \"$*\" = '--check --format json' ] || exit 9\n"
             "echo '[{\"check\":\"crun\",\"verdict\":\"warning\",\"found\":\"old\",\"fix\":\"upgrade it\"}]'\n",
             0755);
  auto doctor = command({"doctor"});
  doctor.argv[0] = beside / "gantry";
  auto said = run_captured(doctor);
  EXPECT_EQ(said.status.code, 1);
  EXPECT_THAT(said.out, HasSubstr("crun"));
  EXPECT_THAT(said.out, HasSubstr("fix: upgrade it"));
  EXPECT_THAT(said.out, HasSubstr("daemon"));
}

TEST_F(ClientTest, ConfigNeedsNoDaemonAndShowsEveryMistake) {
  write_file(directory.path() / "compose.yaml", "name: shop\nservices:\n  web:\n    image: ${IMAGE:-nginx:1}\n");
  auto good = gantry({"config"});
  EXPECT_EQ(good.status.code, 0) << good.err;
  EXPECT_THAT(good.out, HasSubstr("nginx:1"));
  EXPECT_EQ(gantry({"config", "--services"}).out, "web\n");
  write_file(directory.path() / "compose.yaml", "services:\n  web:\n    imge: x\n    prots: []\n");
  auto bad = gantry({"config", "-q"});
  EXPECT_EQ(bad.status.code, 2);
  EXPECT_THAT(bad.err, HasSubstr("compose.yaml:3:"));
  EXPECT_THAT(bad.err, HasSubstr("compose.yaml:4:"));
}

}  // namespace
}  // namespace gantry::cli
