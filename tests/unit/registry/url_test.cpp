#include "url.h"

#include <gtest/gtest.h>

#include "gantry/base/error.h"

namespace gantry::registry {
namespace {

TEST(Url, IsTakenApart) {
  auto url = Url::parse("HTTPS://Reg.Example:5000/v2/x?a=b#c");
  EXPECT_EQ(url.scheme, "https");
  EXPECT_EQ(url.authority, "Reg.Example:5000");
  EXPECT_EQ(url.host, "reg.example");
  EXPECT_EQ(url.target, "/v2/x?a=b");
  EXPECT_EQ(Url::parse("http://[::1]:5000").host, "::1");
  EXPECT_EQ(Url::parse("http://x?a").target, "/?a");
  for (auto text : {"", "x", "ftp://x/", "file:///etc/passwd", "https://", "https://user:secret@x/", "https://x/ y",
                    "https://x/\n"})
    EXPECT_THROW(Url::parse(text), Error) << text;
}

TEST(Url, LocationsAreFollowedAsBrowsersDo) {
  auto here = Url::parse("https://a:1/v2/b/blobs/uploads/?x=1");
  EXPECT_EQ(here.resolve("https://c/d").str(), "https://c/d");
  EXPECT_EQ(here.resolve("//c/d").str(), "https://c/d");
  EXPECT_EQ(here.resolve("/d?e").str(), "https://a:1/d?e");
  EXPECT_EQ(here.resolve("d").str(), "https://a:1/v2/b/blobs/uploads/d");
}

TEST(Url, OnlyThisMachineIsLoopback) {
  for (auto host : {"localhost", "127.0.0.1", "127.255.0.9", "::1"}) EXPECT_TRUE(is_loopback_host(host)) << host;
  for (auto host : {"localhost.example", "128.0.0.1", "127.0.0.1.example", "::2", "0.0.0.0", ""})
    EXPECT_FALSE(is_loopback_host(host)) << host;
}

}  // namespace
}  // namespace gantry::registry
