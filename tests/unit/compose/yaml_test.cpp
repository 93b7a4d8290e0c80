#include "compose_fixture.h"

namespace gantry::compose {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(Yaml, ResolvesAnchorsAndMergeKeys) {
  auto stack = load_text(R"(
x-base: &base
  image: base
  environment: &env {A: "1", B: "2"}
x-more: &more
  user: app
services:
  one:
    <<: *base
    image: own
  two:
    <<: [*more, *base]
    environment:
      <<: *env
      B: "3"
)")
                   .stack;
  EXPECT_EQ(stack.services["one"].image, "own");
  EXPECT_EQ(stack.services["one"].environment, (StringMap{{"A", "1"}, {"B", "2"}}));
  EXPECT_EQ(stack.services["two"].image, "base");
  EXPECT_EQ(stack.services["two"].user, "app");
  EXPECT_EQ(stack.services["two"].environment, (StringMap{{"A", "1"}, {"B", "3"}}));
}

TEST(Yaml, TheFirstOfSeveralMergedMappingsWins) {
  auto stack = load_text(R"(
x-a: &a {user: first}
x-b: &b {user: second}
services:
  web:
    <<: [*a, *b]
    image: i
)")
                   .stack;
  EXPECT_EQ(stack.services["web"].user, "first");
}

TEST(Yaml, RefusesWhatIsNotACleanDocument) {
  struct Case {
    std::string text;
    std::string error;
  };
  const Case cases[] = {
      {"services: [a", "compose.yaml:2:1 not valid YAML: flow sequence without a closing bracket"},
      {"services:\n\tweb: {}\n", "compose.yaml:2:1 not valid YAML: tab character may not be used as indentation"},
      {"services:\n  a: b: c\n", "compose.yaml:2:7 not valid YAML: invalid nested block mapping on the same line"},
      {"a: 1\n---\nb: 1\n", "compose.yaml:2:1 more than one YAML document in a file: put each into a file of its own"},
      {"- a\n- b\n", "compose.yaml:1:1 a compose file is a mapping, this is a list"},
      {"services:\n  web:\n    image: a\n    image: b\n", "compose.yaml:4:5 duplicate key 'image' (first in line 3)"},
      {"services:\n  web: *base\n", "compose.yaml:2:9 alias '*base' to an anchor that is not defined before it"},
      {"a: &a [*a]\n", "compose.yaml:1:9 alias '*a' to an anchor that is not defined before it"},
      {"services:\n  web:\n    <<: text\n    image: a\n",
       "compose.yaml:3:9 the merge key '<<' needs a mapping or a list of mappings"},
      {"services:\n  web:\n    image: !python/object a\n", "compose.yaml:3:27 unknown YAML tag '!python/object'"},
      {"? [a, b]\n: 1\n", "compose.yaml:1:3 a key must be a string"},
      {"name: \"a\xff\"\n", "compose.yaml:1:9 not valid YAML: a byte that is not text in UTF-8"},
      {std::string("name: a\nb\0c", 11), "compose.yaml:2:2 not valid YAML: a byte that is not text in UTF-8"},
      {"name: \xed\xa0\x80\n", "compose.yaml:1:7 not valid YAML: a byte that is not text in UTF-8"},
      {"name: \xc0\xaf\n", "compose.yaml:1:7 not valid YAML: a byte that is not text in UTF-8"},
      {"name: \"a\\0b\"\n",
       "compose.yaml:1:1 services: the key is missing\ncompose.yaml:1:7 an escape gives a zero byte, or what is not "
       "text in UTF-8"},
      {"", "compose.yaml:1:1 services: the key is missing"},
      {"# nothing\n", "compose.yaml:1:1 services: the key is missing"},
  };
  for (const auto& each : cases) EXPECT_EQ(errors_of(each.text), each.error) << each.text;
}

TEST(Yaml, KeepsTextThatIsNotAscii) {
  auto service = web_service("    labels: {größe: \"\xf0\x9f\x98\x80\"}\n");
  EXPECT_EQ(service.labels.at("größe"), "\xf0\x9f\x98\x80");
}

TEST(Yaml, BoundsAliasBombs) {
  std::string text = "x-a: &a [x, x, x, x, x, x, x, x, x]\n";
  for (char c = 'b'; c <= 'j'; ++c) {
    std::string before(1, static_cast<char>(c - 1));
    text += std::string("x-") + c + ": &" + c + " [*" + before;
    for (int i = 0; i < 8; ++i) text += ", *" + before;
    text += "]\n";
  }
  EXPECT_THAT(errors_of(text), HasSubstr("too big: more than 100000 values once aliases are expanded"));
}

TEST(Yaml, BoundsAliasBombsThroughMergeKeys) {
  std::string text = "x-0: &a0 {k: &k0 [a, a, a, a, a, a, a, a, a, a]}\n";
  for (int i = 1; i <= 9; ++i) {
    auto n = std::to_string(i);
    auto p = std::to_string(i - 1);
    text += "x-" + n + ": &a" + n + " {<<: *a" + p + ", k: &k" + n + " [";
    for (int j = 0; j < 10; ++j) text += "*k" + p + ", ";
    text += "]}\n";
  }
  EXPECT_THAT(errors_of(text), HasSubstr("too big"));
}

TEST(Yaml, BoundsDepthAndSize) {
  EXPECT_THAT(errors_of("a: " + std::string(100'000, '[')), HasSubstr("nested deeper than 48 levels"));
  std::string blocks;
  for (int i = 0; i < 500; ++i) blocks += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  EXPECT_THAT(errors_of(blocks), HasSubstr("nested deeper than"));
  EXPECT_THAT(errors_of("name: " + std::string(5u << 20, 'a')), HasSubstr("the file is bigger than 4 MiB"));
  std::string many = "services:\n  web:\n    image: a\n    command: [";
  for (int i = 0; i < 200'000; ++i) many += "a,";
  EXPECT_THAT(errors_of(many + "]\n"), HasSubstr("too big: more than 100000 values"));
}

TEST(Yaml, DeepAliasesCountTowardsTheDepth) {
  std::string text = "x-0: &a0 [1]\n";
  for (int i = 1; i < 80; ++i)
    text += "x-" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" + std::to_string(i - 1) + "]\n";
  EXPECT_THAT(errors_of(text), HasSubstr("nested deeper than 48 levels"));
}

}  // namespace
}  // namespace gantry::compose
