#include "names.h"

#include <gtest/gtest.h>

#include "fixture.h"

namespace gantry::distribution {
namespace {

TEST(Names, RepositoriesOfTheSpecifiedForm) {
  for (const auto& good :
       {std::string("a"), std::string("0"), std::string("library/debian"), std::string("a/b/c/d"), std::string("a.b"),
        std::string("a_b"), std::string("a__b"), std::string("a-b"), std::string("a---b"), std::string("a.b_c-d__e/f"),
        std::string(255, 'a'), std::string("blobs/uploads"), std::string("manifests")})
    EXPECT_NO_THROW(require_repository(good)) << good;
  for (const auto& bad :
       {std::string(),        std::string("A"),   std::string("a/"),       std::string("/a"),      std::string("a//b"),
        std::string("."),     std::string(".."),  std::string("a/../b"),   std::string("a..b"),    std::string("a___b"),
        std::string("a._b"),  std::string("-a"),  std::string("a-"),       std::string("_a"),      std::string("a."),
        std::string("a b"),   std::string("a:b"), std::string("\xc3\xa4"), std::string("a\0b", 3), std::string("a\n"),
        std::string(256, 'a')})
    EXPECT_EQ(code_of([&] { require_repository(bad); }), Code::NAME_INVALID) << bad;
}

TEST(Names, Tags) {
  for (const auto& good : {std::string("1"), std::string("_"), std::string("latest"), std::string("v1.2.3-rc_1"),
                           std::string("A"), std::string(128, 'x'), "sha256-" + std::string(64, 'a') + ".sig"})
    EXPECT_TRUE(is_tag(good)) << good;
  for (const auto& bad : {std::string(), std::string(".a"), std::string("-a"), std::string("a/b"), std::string("a:b"),
                          std::string("a b"), std::string("a\0", 2), std::string(129, 'x'), std::string("a%2fb")})
    EXPECT_FALSE(is_tag(bad)) << bad;
}

TEST(Names, DigestsAreSha256InLowerCase) {
  EXPECT_EQ(require_digest("sha256:" + std::string(64, 'a')).hex(), std::string(64, 'a'));
  for (const auto& bad : {std::string(), std::string("sha256:"), "sha256:" + std::string(63, 'a'),
                          "sha256:" + std::string(65, 'a'), "sha256:" + std::string(64, 'A'),
                          "sha512:" + std::string(128, 'a'), "sha256:../" + std::string(61, 'a'), std::string(64, 'a')})
    EXPECT_EQ(code_of([&] { require_digest(bad); }), Code::DIGEST_INVALID) << bad;
}

}  // namespace
}  // namespace gantry::distribution
