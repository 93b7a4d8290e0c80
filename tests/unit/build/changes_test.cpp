#include "gantry/build/changes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gantry/base/error.h"

namespace gantry::build {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Changes, ChangeTheConfigurationOnly) {
  oci::ImageConfig config;
  config.config.Env = {"PATH=/bin", "A=1"};
  config.config.Cmd = std::vector<std::string>{"old"};
  auto out = apply_changes(config, {"ENV A=2 B=\"two words\"", "ENTRYPOINT [\"/bin/app\"]", "EXPOSE 80 53/udp",
                                    "LABEL x=$B", "WORKDIR /srv", "WORKDIR app", "user 1000"});
  EXPECT_THAT(out.config.Env, ElementsAre("PATH=/bin", "A=2", "B=two words"));
  EXPECT_THAT(*out.config.Entrypoint, ElementsAre("/bin/app"));
  EXPECT_FALSE(out.config.Cmd) << "a CMD of the base belongs to the base's ENTRYPOINT";
  EXPECT_TRUE(out.config.ExposedPorts.contains("53/udp"));
  EXPECT_EQ(out.config.Labels.at("x"), "two words");
  EXPECT_EQ(out.config.WorkingDir, "/srv/app");
  EXPECT_EQ(out.config.User, "1000");
}

TEST(Changes, RefuseWhatMakesALayer) {
  for (const auto* text : {"RUN true", "COPY a b", "ADD a b", "FROM x", "ARG y", "nonsense", "ENV"}) {
    try {
      apply_changes({}, {"USER x", text});
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid);
      ASSERT_EQ(error.findings().size(), 1u);
      EXPECT_EQ(error.findings()[0].place.line, 2) << text;
    }
  }
  try {
    apply_changes({}, {"RUN true"});
  } catch (const Error& error) {
    EXPECT_THAT(error.message(), HasSubstr("RUN is not a valid change command"));
  }
}

}  // namespace
}  // namespace gantry::build
