#include <gmock/gmock.h>

#include "fixture.h"
#include "gantry/base/error.h"

namespace gantry::build {
namespace {

using SecretTest = BuildTest;
using testing::HasSubstr;

Options with_secret(const std::string& content) {
  Options options;
  auto grants = std::make_shared<Grants>();
  grants->secrets["token"] = content;
  options.grants = grants;
  return options;
}

TEST_F(SecretTest, AStepSeesItAndTheImageDoesNot) {
  auto image = build(
      "FROM base\nRUN --mount=type=secret,id=token cat /run/secrets/token > /n && test -s /n && echo seen > /n\n"
      "RUN --mount=type=secret,id=token,target=/opt/t,mode=0440 test \"$(stat -c %a /opt/t)\" = 440\n",
      {}, with_secret("s3cret"));
  EXPECT_EQ(read(image, "/n"), "seen\n");
  EXPECT_FALSE(exists(image, "/run/secrets"));
  EXPECT_FALSE(exists(image, "/opt/t"));
  EXPECT_TRUE(std::filesystem::is_empty(root_ / "memory"));
}

TEST_F(SecretTest, AVariableHasItsBytes) {
  auto image =
      build("FROM base\nRUN --mount=type=secret,id=token,env=TOKEN ! test -e /run/secrets && echo \"[$TOKEN]\" > /ok\n",
            {}, with_secret("it's $x\n"));
  EXPECT_EQ(read(image, "/ok"), "[it's $x\n]\n");
  for (const auto& word : executor_->last.environment) EXPECT_EQ(word.find("it's"), std::string::npos);
  EXPECT_FALSE(exists(image, "/run/.gantry-variables"));
}

TEST_F(SecretTest, ItsContentIsNotInTheCacheKey) {
  const std::string file =
      "FROM base\nRUN --mount=type=secret,id=token cat /run/secrets/token > /dev/null; echo > /x\n";
  build(file, {}, with_secret("one"));
  build(file, {}, with_secret("two"));
  EXPECT_EQ(executor_->runs, 1);
  build(file);
  EXPECT_EQ(executor_->runs, 2);
}

TEST_F(SecretTest, OneThatIsRequiredAndNotGivenIsNamed) {
  auto error = failure("FROM base\nRUN --mount=type=secret,id=other,required true\n", {}, with_secret("x"));
  EXPECT_THAT(error.findings().at(0).message, HasSubstr("the secret \"other\" is required"));
  error = failure("FROM base\nRUN --mount=type=ssh,required true\n", {}, with_secret("x"));
  EXPECT_THAT(error.findings().at(0).message, HasSubstr("--ssh default"));
}

TEST_F(SecretTest, AnAgentIsASocketWithItsVariable) {
  Options options;
  auto grants = std::make_shared<Grants>();
  auto socket = root_ / "agent";
  write_file(socket, "stands for a socket");
  grants->agents["default"] = socket;
  options.grants = grants;
  auto image =
      build("FROM base\nRUN --mount=type=ssh cat $SSH_AUTH_SOCK > /s; echo $SSH_AUTH_SOCK >> /s\n", {}, options);
  EXPECT_EQ(read(image, "/s"), "stands for a socket/run/buildkit/ssh_agent.0\n");
  EXPECT_FALSE(exists(image, "/run/buildkit"));
}

}  // namespace
}  // namespace gantry::build
