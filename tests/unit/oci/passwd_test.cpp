#include "gantry/oci/passwd.h"

#include <gtest/gtest.h>

#include "gantry/base/error.h"

namespace gantry::oci {
namespace {

constexpr auto kPasswd =
    "root:x:0:0:root:/root:/bin/sh\n"
    "broken line\n"
    "bad:x:abc:1::/:\n"
    "www:x:33:33:www:/var/www:/usr/sbin/nologin\n"
    "1000:x:77:78:a name that is a number:/n:/bin/sh\n"
    "noshell:x:500:501::\n"
    "app:x:1001:1002:App:/home/app:/bin/sh\n";
constexpr auto kGroup =
    "root:x:0:\n"
    "www:x:33:\n"
    "adm:x:4:app,www\n"
    "app:x:1002:app\n"
    "broken\n"
    "docker:x:999:app\n"
    "again:x:999:app\n";

TEST(FindUser, Table) {
  struct Row {
    const char* spec;
    UserIds expected;
  };
  const Row table[] = {
      {"", {0, 0, {}, "/root"}},
      {"root", {0, 0, {}, "/root"}},
      {"0", {0, 0, {}, "/root"}},
      {"www", {33, 33, {4}, "/var/www"}},
      {"app", {1001, 1002, {4, 999}, "/home/app"}},
      {"1001", {1001, 1002, {4, 999}, "/home/app"}},
      {"app:adm", {1001, 4, {}, "/home/app"}},
      {"app:12345", {1001, 12345, {}, "/home/app"}},
      {"4242", {4242, 0, {}, "/"}},
      {"4242:33", {4242, 33, {}, "/"}},
      {"1000", {77, 78, {}, "/n"}},
      {":adm", {0, 4, {}, "/root"}},
  };
  for (const auto& row : table) EXPECT_EQ(find_user(kPasswd, kGroup, row.spec), row.expected) << row.spec;
}

TEST(FindUser, WorksWithoutFiles) {
  EXPECT_EQ(find_user("", "", ""), (UserIds{0, 0, {}, "/"}));
  EXPECT_EQ(find_user("", "", "7:8"), (UserIds{7, 8, {}, "/"}));
}

TEST(FindUser, RefusesUnknownNames) {
  for (const char* bad : {"nobody", "app:nogroup", "-1", "bad", "4294967295", "99999999999"})
    EXPECT_THROW(find_user(kPasswd, kGroup, bad), Error) << bad;
}

TEST(FindOwner, Table) {
  struct Row {
    const char* spec;
    Owner expected;
  };
  const Row table[] = {{"app", {1001, 1002}}, {"55", {55, 55}}, {"55:adm", {55, 4}}, {"app:0", {1001, 0}},
                       {"1:2", {1, 2}},       {"0", {0, 0}},    {":adm", {0, 4}},    {"1001", {1001, 1001}}};
  for (const auto& row : table) EXPECT_EQ(find_owner(kPasswd, kGroup, row.spec), row.expected) << row.spec;
  EXPECT_THROW(find_owner(kPasswd, kGroup, "ghost"), Error);
  EXPECT_THROW(find_owner(kPasswd, kGroup, "app:ghost"), Error);
}

}  // namespace
}  // namespace gantry::oci
