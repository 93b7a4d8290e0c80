#include "dockerfile/expand.h"

#include <gtest/gtest.h>

#include <map>

#include "gantry/base/error.h"

namespace gantry::build {
namespace {

std::optional<std::string> lookup(std::string_view name) {
  static const std::map<std::string, std::string, std::less<>> values = {
      {"foo", "bar"}, {"empty", ""}, {"path", "/a/b/c.tar.gz"}, {"sp", "a b"}, {"1", "one"}};
  auto found = values.find(name);
  return found == values.end() ? std::nullopt : std::optional(found->second);
}

TEST(ExpandWord, Table) {
  const std::pair<const char*, const char*> table[] = {
      {"", ""},
      {"plain", "plain"},
      {"$foo", "bar"},
      {"${foo}_x", "bar_x"},
      {"$foo_x", ""},
      {"$foo$foo", "barbar"},
      {"$", "$"},
      {"a$-b", "a$-b"},
      {"$1", "one"},
      {"\\$foo", "$foo"},
      {"\\${foo}", "${foo}"},
      {"\\\\", "\\"},
      {"a\\ b", "a b"},
      {"'$foo'", "$foo"},
      {"\"$foo\"", "bar"},
      {"\"\\$foo\"", "$foo"},
      {"\"a\\nb\"", "a\\nb"},
      {"\"a\\\"b\"", "a\"b"},
      {"'a\\b'", "a\\b"},
      {"a'b'\"c\"d", "abcd"},
      {"${none:-word}", "word"},
      {"${empty:-word}", "word"},
      {"${empty-word}", ""},
      {"${none-word}", "word"},
      {"${foo:-word}", "bar"},
      {"${foo:+word}", "word"},
      {"${empty:+word}", ""},
      {"${empty+word}", "word"},
      {"${none+word}", ""},
      {"${none:-$foo}", "bar"},
      {"${none:-${empty:-deep}}", "deep"},
      {"${none:-a\\}b}", "a}b"},
      {"${foo:?must}", "bar"},
      {"${path#/*/}", "b/c.tar.gz"},
      {"${path##*/}", "c.tar.gz"},
      {"${path%.*}", "/a/b/c.tar"},
      {"${path%%.*}", "/a/b/c"},
      {"${path#x}", "/a/b/c.tar.gz"},
      {"${path%\\*}", "/a/b/c.tar.gz"},
      {"${path/b/B}", "/a/B/c.tar.gz"},
      {"${path//[/x}", "/a/b/c.tar.gz"},
      {"${path//\\//-}", "-a-b-c.tar.gz"},
      {"${sp}", "a b"},
  };
  for (auto [word, expected] : table) EXPECT_EQ(expand_word(word, lookup, '\\'), expected) << word;
}

TEST(ExpandWord, OtherEscape) { EXPECT_EQ(expand_word("c:\\dir`$foo", lookup, '`'), "c:\\dir$foo"); }

TEST(ExpandWord, Refuses) {
  for (const char* bad : {"${", "${}", "${foo", "${foo:", "${foo:=x}", "${foo^}", "'a", "\"a", "${foo:-a",
                          "${none:?gone}", "${none?}", "${path/a", "${a b}"})
    EXPECT_THROW(expand_word(bad, lookup, '\\'), Error) << bad;
}

TEST(ExpandWord, BoundsNesting) {
  std::string deep;
  for (int i = 0; i < 10000; ++i) deep += "${x:-";
  EXPECT_THROW(expand_word(deep, lookup, '\\'), Error);
}

TEST(ExpandHeredoc, KeepsQuotesAndBackslashes) {
  EXPECT_EQ(expand_heredoc("a \"$foo\" '${foo}' \\n \\$foo \\\\ it's", lookup), "a \"bar\" 'bar' \\n $foo \\ it's");
}

}  // namespace
}  // namespace gantry::build
