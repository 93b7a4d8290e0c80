#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "build_cache.h"
#include "build_grants.h"
#include "build_output.h"
#include "gantry/base/base64.h"
#include "gantry/base/error.h"
#include "gantry/base/files.h"
#include "gantry/base/without_credentials.h"

namespace gantry::cli {
namespace {

TEST(BuildOutput, Forms) {
  using Kind = BuildOutput::Kind;
  EXPECT_EQ(parse_build_output("out").kind, Kind::local);
  EXPECT_EQ(parse_build_output("-").kind, Kind::tar);
  auto oci = parse_build_output("type=oci,dest=image.tar");
  EXPECT_EQ(oci.kind, Kind::oci);
  EXPECT_EQ(oci.destination, "image.tar");
  EXPECT_EQ(parse_build_output("type=tar").destination, "-");
  EXPECT_TRUE(parse_build_output("type=registry").push);
  EXPECT_EQ(parse_build_output("type=image,name=a:1,push=true").name, "a:1");
  for (const char* text : {"type=zip", "type=local", "type=local,dest=-", "dest=x,color=red", "type=tar,dest"})
    EXPECT_THROW(parse_build_output(text), Error) << text;
}

TEST(BuildOutput, AnImageStaysUnlessItGoesElsewhere) {
  EXPECT_TRUE(keeps_image({}));
  EXPECT_FALSE(keeps_image({parse_build_output("out")}));
  EXPECT_TRUE(keeps_image({parse_build_output("out"), parse_build_output("type=image")}));
}

TEST(BuildCache, Forms) {
  using Kind = BuildCache::Kind;
  auto parse = [](const char* text) { return parse_build_cache(text, "--cache-to"); };
  EXPECT_EQ(parse("registry.example/app:cache").place, "registry.example/app:cache");
  EXPECT_EQ(parse("type=registry,ref=a:b,mode=max").place, "a:b");
  EXPECT_EQ(parse("type=local,dest=dir").kind, Kind::local);
  EXPECT_EQ(parse("type=inline").kind, Kind::inline_);
  for (const char* text : {"type=s3,bucket=b", "type=local", "ref=a,what=b"}) EXPECT_THROW(parse(text), Error) << text;
}

class GrantsTest : public testing::Test {
 protected:
  std::string secret(const std::string& text) {
    BuildGrants grants;
    add_secret(grants, text, environment_, directory_.path());
    const auto& [id, content] = *grants.body.secrets.begin();
    return id + "=" + decode_base64(content).value_or("?");
  }
  void SetUp() override { write_file(directory_.path() / "file", "from file"); }
  TemporaryDirectory directory_{"/tmp", "gantry-grants-"};
  std::map<std::string, std::string> environment_{{"TOKEN", "from variable"}};
};

TEST_F(GrantsTest, SecretsOfFilesAndVariables) {
  EXPECT_EQ(secret("id=a,src=file"), "a=from file");
  EXPECT_EQ(secret("id=a,env=TOKEN"), "a=from variable");
  EXPECT_EQ(secret("id=TOKEN"), "TOKEN=from variable");
  EXPECT_EQ(secret("file"), "file=from file");
  EXPECT_EQ(secret("type=env,id=a,src=TOKEN"), "a=from variable");
  EXPECT_EQ(secret("src=file"), "file=from file");
  for (const char* text : {"", "id=a,env=MISSING", "id=a,src=missing", "id=a,what=b", "id=a,id=b", "type=x,id=a"})
    EXPECT_THROW(secret(text), Error) << text;
}

TEST_F(GrantsTest, AgentsAreSockets) {
  BuildGrants grants;
  auto agent = [&](const char* text) { add_agent(grants, text, environment_, directory_.path()); };
  EXPECT_THROW(agent("default"), Error);       // no SSH_AUTH_SOCK
  EXPECT_THROW(agent("default=file"), Error);  // no socket
  EXPECT_THROW(agent("default=missing"), Error);
}

TEST(GitFacts, CredentialsAreTakenOff) {
  EXPECT_EQ(without_credentials("https://u:p@host/x.git"), "https://host/x.git");
  EXPECT_EQ(without_credentials("git@host:x.git"), "git@host:x.git");
}

}  // namespace
}  // namespace gantry::cli
