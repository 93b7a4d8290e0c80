#include "compose_fixture.h"

namespace gantry::compose {
namespace {

using testing::HasSubstr;

const std::map<std::string, std::string> kEnvironment{{"SET", "value"}, {"EMPTY", ""}, {"OTHER", "other"}};

LoadOptions with_label(const std::string& text) {
  auto options = one_file(web("    labels:\n      l: '" + text + "'\n"));
  options.env = kEnvironment;
  return options;
}

TEST(Interpolate, TheWholeSyntax) {
  struct Case {
    std::string text;
    std::string result;
  };
  const Case cases[] = {
      {"$SET", "value"},
      {"${SET}", "value"},
      {"a${SET}b", "avalueb"},
      {"$SET-$OTHER", "value-other"},
      {"$SET.x", "value.x"},
      {"${SET:-d}", "value"},
      {"${EMPTY:-d}", "d"},
      {"${UNSET:-d}", "d"},
      {"${SET-d}", "value"},
      {"${EMPTY-d}", ""},
      {"${UNSET-d}", "d"},
      {"${UNSET:-}", ""},
      {"${UNSET-}", ""},
      {"${SET:?e}", "value"},
      {"${EMPTY?e}", ""},
      {"${SET:+r}", "r"},
      {"${EMPTY:+r}", ""},
      {"${UNSET:+r}", ""},
      {"${SET+r}", "r"},
      {"${EMPTY+r}", "r"},
      {"${UNSET+r}", ""},
      {"${UNSET:-${OTHER}}", "other"},
      {"${UNSET:-${NOT_SET:-deep}}", "deep"},
      {"${UNSET:-$OTHER}", "other"},
      {"${UNSET-a}b}", "ab}"},
      {"${UNSET:-a b:c-d?e+f}", "a b:c-d?e+f"},
      {"${UNSET:-{\"a\":1}", "{\"a\":1"},
      {"$$SET", "$SET"},
      {"$${SET}", "${SET}"},
      {"$$$SET", "$value"},
      {"$$$$", "$$"},
      {"${UNSET:-$$x}", "$x"},
      {"cost $5", "cost $5"},
      {"end$", "end$"},
      {"$ a", "$ a"},
  };
  for (const auto& each : cases)
    EXPECT_EQ(load(with_label(each.text)).stack.services.at("web").labels.at("l"), each.result) << each.text;
}

TEST(Interpolate, MistakesHaveTheirPlace) {
  struct Case {
    std::string text;
    std::string error;
  };
  const Case cases[] = {
      {"${UNSET:?tell me}", "the required variable 'UNSET' is not set: tell me"},
      {"${EMPTY:?}", "the required variable 'EMPTY' is not set"},
      {"${UNSET?$OTHER}", "the required variable 'UNSET' is not set: other"},
      {"${UNSET", "invalid interpolation '${UNSET': the closing '}' is missing"},
      {"${}", "invalid interpolation '${}': a variable's name is expected after '${'"},
      {"${1A}", "invalid interpolation '${1A}': a variable's name is expected after '${'"},
      {"${A/b/c}", "invalid interpolation '${A/b/c}': after the name, one of ':-', '-', ':?', '?', ':+', '+' or '}'"},
      {"${A:}", "invalid interpolation '${A:}': after the name, one of ':-', '-', ':?', '?', ':+', '+' or '}'"},
  };
  for (const auto& each : cases)
    EXPECT_EQ(errors_of(with_label(each.text)), "compose.yaml:5:10 " + each.error) << each.text;
}

TEST(Interpolate, BoundsNesting) {
  std::string text = "x";
  for (int i = 0; i < 200; ++i) text = "${UNSET:-" + text + "}";
  EXPECT_THAT(errors_of(with_label(text)), HasSubstr("nested deeper than 32 levels"));
}

TEST(Interpolate, AnUnsetVariableIsAWarningOnce) {
  auto loaded = load_text(web("    user: a${GONE}\n    hostname: h${GONE}\n"));
  ASSERT_EQ(loaded.warnings.size(), 1u);
  EXPECT_EQ(loaded.warnings[0].message, "the variable 'GONE' is not set; an empty string takes its place");
  EXPECT_EQ(loaded.warnings[0].place.line, 4);
  EXPECT_EQ(loaded.warnings[0].place.column, 11);
}

TEST(Interpolate, KeysStayAndListFormsDoNot) {
  auto options = one_file(web("    environment:\n      - ${SET}=1\n    labels:\n      $SET: x\n"));
  options.env = kEnvironment;
  auto service = load(options).stack.services.at("web");
  EXPECT_EQ(service.environment, (StringMap{{"value", "1"}}));
  EXPECT_EQ(service.labels, (StringMap{{"$SET", "x"}}));
}

TEST(Interpolate, WorksForEveryType) {
  auto options =
      one_file(web("    init: ${INIT}\n    ports: [\"${PORT}:80\"]\n    mem_limit: ${MEM:-64m}\n    scale: ${N}\n"));
  options.env = {{"INIT", "true"}, {"PORT", "8080"}, {"N", "3"}};
  auto service = load(options).stack.services.at("web");
  EXPECT_TRUE(service.init);
  EXPECT_EQ(service.ports[0].host_port, 8080);
  EXPECT_EQ(service.limits.memory, 64u << 20);
  EXPECT_EQ(service.replicas, 3u);
}

TEST(Interpolate, KnowsTheProjectName) {
  EXPECT_EQ(load_text(web("    hostname: $COMPOSE_PROJECT_NAME\n")).stack.services.at("web").hostname, "shop");
}

}  // namespace
}  // namespace gantry::compose
