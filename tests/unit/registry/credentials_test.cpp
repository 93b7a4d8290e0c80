#include "gantry/registry/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gantry/base/base64.h"
#include "gantry/base/error.h"

namespace gantry::registry {
namespace {

TEST(Base64, BothWays) {
  for (std::string text : {"", "f", "fo", "foo", "foob", "fooba", "foobar"})
    EXPECT_EQ(decode_base64(encode_base64(text)), text);
  EXPECT_EQ(encode_base64("foob"), "Zm9vYg==");
  EXPECT_EQ(encode_base64("\xff\xfe\xfd"), "//79");
  EXPECT_EQ(decode_base64("__79"), "\xff\xfe\xfd");
  EXPECT_EQ(decode_base64("Zm9vYg"), "foob");
  EXPECT_EQ(decode_base64("Zm9 Yg"), std::nullopt);
  EXPECT_EQ(decode_base64("A"), std::nullopt);
}

TEST(AuthHeader, IsWhatDockerSends) {
  auto got = parse_auth_header(encode_base64(R"({"username":"ann","password":"s3cret","serveraddress":"x:5000"})"));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->username, "ann");
  EXPECT_EQ(got->password, "s3cret");
  got = parse_auth_header(encode_base64(R"({"auth":")" + encode_base64("bob:a:b") + R"("})"));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->username, "bob");
  EXPECT_EQ(got->password, "a:b");
  EXPECT_FALSE(parse_auth_header(""));
  EXPECT_FALSE(parse_auth_header(encode_base64("{}")));
  Credentials both{"u", "p\xc3\xa4ss?>~", "", ""};
  EXPECT_EQ(parse_auth_header(format_auth_header(both))->password, both.password);
}

TEST(AuthHeader, ARefusalQuotesNothing) {
  for (std::string text : {"!!!", "bm90IGpzb24gczNjcmV0", "eyJ1c2VybmFtZSI6MX0="}) {
    try {
      parse_auth_header(text);
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid);
      EXPECT_THAT(error.message(), ::testing::Not(::testing::HasSubstr("s3cret")));
    }
  }
}

}  // namespace
}  // namespace gantry::registry
