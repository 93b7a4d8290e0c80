#include "dockerfile/file_mode.h"

#include <gtest/gtest.h>

#include "gantry/base/error.h"

namespace gantry::build {
namespace {

unsigned applied(const char* text, unsigned mode, bool directory = false) {
  return FileMode::parse(text).apply(mode, directory);
}

TEST(FileMode, OctalReplacesAll) {
  EXPECT_EQ(applied("755", 0644), 0755u);
  EXPECT_EQ(applied("0", 0644), 0u);
  EXPECT_EQ(applied("4711", 0), 04711u);
}

TEST(FileMode, SymbolsChangeWhatIsThere) {
  EXPECT_EQ(applied("u+x", 0644), 0744u);
  EXPECT_EQ(applied("+x", 0644), 0755u);
  EXPECT_EQ(applied("go-rwx", 0755), 0700u);
  EXPECT_EQ(applied("u=rw,go=r", 0777), 0644u);
  EXPECT_EQ(applied("g=u", 0740), 0770u);
  EXPECT_EQ(applied("u=rwx,g+w-x", 0054), 0764u);
  EXPECT_EQ(applied("u+s,+t", 0755), 05755u);
  EXPECT_EQ(applied("a=", 0777), 0u);
}

TEST(FileMode, CapitalXIsForDirectoriesAndPrograms) {
  EXPECT_EQ(applied("a=rX", 0644), 0444u);
  EXPECT_EQ(applied("a=rX", 0700, true), 0555u);
  EXPECT_EQ(applied("go+X", 0744), 0755u);
  EXPECT_EQ(applied("u=rwX,go=rX", 02750, true), 02755u);
}

TEST(FileMode, RefusesTheRest) {
  for (const char* text : {"", "8", "17777", "u", "u+q", "x", "u+x,", ","})
    EXPECT_THROW(FileMode::parse(text), Error) << text;
}

}  // namespace
}  // namespace gantry::build
