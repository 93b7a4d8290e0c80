#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "gantry/base/error.h"
#include "gantry/base/files.h"
#include "gantry/ignore/ignore_file.h"

namespace gantry::ignore {
namespace {

struct Match {
  const char* pattern;
  const char* path;
  bool expected;
};

TEST(Pattern, MatchesAsGoDoesWithDoubleStar) {
  const Match table[] = {
      {"abc", "abc", true},
      {"*", "abc", true},
      {"*c", "abc", true},
      {"a*", "a/b", false},
      {"a*/b", "abc/b", true},
      {"a*/b", "a/c/b", false},
      {"a*b*c*d*e*/f", "axbxcxdxe/f", true},
      {"a?c", "abc", true},
      {"a?c", "a/c", false},
      {"ab[c]", "abc", true},
      {"ab[b-d]", "abc", true},
      {"ab[e-g]", "abc", false},
      {"ab[^c]", "abc", false},
      {"ab[^e-g]", "abc", true},
      {"a\\*b", "a*b", true},
      {"a\\*b", "ab", false},
      {"a[^a]b", "a☺b", true},
      {"a?b", "a☺b", true},
      {"a???b", "a☺b", false},
      {"[\\]a]", "]", true},
      {"a[^b]c", "a/c", false},
      {"**", "a/b/c", true},
      {"**", "a", true},
      {"**/x", "x", true},
      {"**/x", "a/b/x", true},
      {"**/x", "a/bx", false},
      {"a/**", "a/b/c", true},
      {"a/**", "a", false},
      {"a/**/b", "a/b", true},
      {"a/**/b", "a/x/y/b", true},
      {"a/**/b", "ab", false},
      {"**/*.go", "x/y/z.go", true},
      {"**/*.go", "z.goo", false},
      {"a.b", "axb", false},
      {"$x(", "$x(", true},
  };
  for (const auto& row : table)
    EXPECT_EQ(Pattern(row.pattern).matches(row.path), row.expected) << row.pattern << " on " << row.path;
}

TEST(Pattern, RefusesWhatGoRefuses) {
  for (const char* bad : {"[", "[^", "[^bc", "a[", "[]a]", "[-]", "[x-]", "[-x]", "a\\"})
    EXPECT_THROW(Pattern{bad}, Error) << bad;
}

TEST(Pattern, IsNotExponential) {
  std::string pattern, path(5000, 'a');
  for (int i = 0; i < 40; ++i) pattern += "*a";
  EXPECT_FALSE(Pattern(pattern + "b").matches(path));
}

TEST(Pattern, KnowsItsWildcards) {
  EXPECT_TRUE(Pattern::has_wildcards("a*"));
  EXPECT_TRUE(Pattern::has_wildcards("[a]"));
  EXPECT_FALSE(Pattern::has_wildcards("a\\*b"));
  EXPECT_FALSE(Pattern::has_wildcards("a/b"));
}

struct RuleRow {
  const char* file;
  const char* path;
  bool excluded;
};

TEST(IgnoreFile, DecidesAsDockerDoes) {
  const RuleRow table[] = {
      {"", "a", false},
      {"# comment\n\n", "# comment", false},
      {"node_modules", "node_modules/x/y", true},
      {"node_modules", "a/node_modules", false},
      {"/foo", "foo", true},
      {"foo/", "foo/bar", true},
      {"./foo/../bar", "bar", true},
      {"  spaced  ", "spaced", true},
      {"*.md\n!README.md", "README.md", false},
      {"*.md\n!README.md", "other.md", true},
      {"!README.md\n*.md", "README.md", true},
      {"*.md\n!README*.md\nREADME-secret.md", "README-secret.md", true},
      {"*.md\n!README*.md\nREADME-secret.md", "README-x.md", false},
      {"*/temp*", "a/temporary", true},
      {"*/temp*", "a/b/temporary", false},
      {"*/*/temp*", "a/b/temporary", true},
      {"temp?", "tempa", true},
      {"**/*.o", "x/y/z.o", true},
      {"**", "anything/at/all", true},
      {"**\n!keep", "keep/inner", false},
      {"*\n!src/**/*.c", "src/a/b.c", false},
      {"*\n!src/**/*.c", "src/a/b.h", true},
      {".", "a", false},
      {"..", "a", false},
      {"dir\n!dir/keep", "dir/keep/deep", false},
      {"\xEF\xBB\xBF"
       "first",
       "first", true},
      {"crlf\r\n", "crlf", true},
      {"! spaced", "spaced", false},
  };
  for (const auto& row : table)
    EXPECT_EQ(IgnoreFile::parse(row.file).excludes(row.path), row.excluded) << row.file << " on " << row.path;
}

TEST(IgnoreFile, KnowsWhereExceptionsMayBe) {
  auto file = IgnoreFile::parse("*\n!a/b/c\n!x*/**/y");
  EXPECT_TRUE(file.may_include_below("a"));
  EXPECT_TRUE(file.may_include_below("a/b"));
  EXPECT_FALSE(file.may_include_below("b"));
  EXPECT_TRUE(file.may_include_below("x1"));
  EXPECT_TRUE(file.may_include_below("x1/z/z"));
}

TEST(IgnoreFile, NamesEveryBadPattern) {
  try {
    IgnoreFile::parse("ok\n  [a\n!\n", "some.dockerignore");
    FAIL();
  } catch (const Error& error) {
    ASSERT_EQ(error.findings().size(), 2u);
    EXPECT_EQ(error.findings()[0].place.line, 2);
    EXPECT_EQ(error.findings()[0].place.column, 3);
    EXPECT_EQ(error.findings()[0].place.file, "some.dockerignore");
    EXPECT_EQ(error.findings()[1].place.line, 3);
  }
}

TEST(WalkContext, VisitsParentsOfWhatIsBroughtBack) {
  TemporaryDirectory root(std::filesystem::temp_directory_path(), "gantry-ignore-");
  for (const char* name : {"a/b/c", "a/b/d", "e/f", "g"}) {
    auto path = root.path() / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << name;
  }
  std::filesystem::create_symlink("/etc", root.path() / "link");
  std::ofstream(root.path() / "Dockerfile.dockerignore") << "a\ne\n!a/b/c\n*.dockerignore\n";
  std::vector<std::string> seen;
  walk_context(root.path(), IgnoreFile::load(root.path(), "Dockerfile"),
               [&](const ContextEntry& entry) { seen.push_back(entry.path); });
  EXPECT_EQ(seen, (std::vector<std::string>{"a", "a/b", "a/b/c", "g", "link"}));
}

}  // namespace
}  // namespace gantry::ignore
