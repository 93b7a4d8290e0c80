#include "gantry/base/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace {

enum class Colour { red, default_ };
BOOST_DESCRIBE_ENUM(Colour, red, default_)

struct Inner {
  int number = 7;
  std::optional<std::string> note;
};
BOOST_DESCRIBE_STRUCT(Inner, (), (number, note))

struct Outer {
  std::vector<Inner> items;
  std::map<std::string, std::string> labels;
  Colour colour = Colour::red;
  gantry::Duration wait{};
};
BOOST_DESCRIBE_STRUCT(Outer, (), (items, labels, colour, wait))

std::string error_of(std::string_view text, gantry::json::Unknown unknown = gantry::json::Unknown::ignore) {
  try {
    gantry::json::from_text<Outer>(text, "request", unknown);
    return "no error";
  } catch (const gantry::Error& error) {
    return error.message();
  }
}

TEST(Json, RoundTripsADescribedStruct) {
  Outer outer{.items = {{.number = 1, .note = "a"}, {}},
              .labels = {{"k", "v"}},
              .colour = Colour::default_,
              .wait = std::chrono::seconds(2)};
  auto text = gantry::json::to_text(outer);
  EXPECT_EQ(
      text,
      R"({"items":[{"number":1,"note":"a"},{"number":7}],"labels":{"k":"v"},"colour":"default","wait":2000000000})");
  EXPECT_EQ(gantry::json::to_text(gantry::json::from_text<Outer>(text, "x")), text);
}

TEST(Json, NamesThePathOfWhatIsWrong) {
  EXPECT_EQ(error_of(R"({"items":[{"number":"x"}]})"), "request: $.items[0].number: expected a number");
  EXPECT_EQ(error_of(R"({"items":[{"number":99999999999}]})"),
            "request: $.items[0].number: expected a whole number in range");
  EXPECT_EQ(error_of(R"({"colour":"blue"})"), "request: $.colour: expected one of red, default");
}

TEST(Json, RefusesUnknownKeysOnlyAtBorders) {
  EXPECT_EQ(error_of(R"({"colours":"red"})"), "no error");
  EXPECT_EQ(error_of(R"({"colours":"red"})", gantry::json::Unknown::refuse), "request: $: unknown key 'colours'");
}

TEST(Json, RefusesMalformedAndDeepText) {
  EXPECT_THAT(error_of("{"), testing::HasSubstr("not valid JSON"));
  EXPECT_THAT(error_of(std::string(1000, '[')), testing::HasSubstr("not valid JSON"));
}

// The text is written without a value in between; both must say the same.
TEST(Json, TextIsWhatTheValueSerializesTo) {
  std::string every;
  for (int c = 0; c < 256; ++c) every += static_cast<char>(c < 128 ? c : 'x');
  std::map<std::string, std::string> map{{"", ""}, {every, every}, {"ü€\U0001F600", "\\\"/"}};
  EXPECT_EQ(gantry::json::to_text(map), boost::json::serialize(gantry::json::to(map)));
  std::vector<std::int64_t> numbers{0, -1, std::numeric_limits<std::int64_t>::max(),
                                    std::numeric_limits<std::int64_t>::min()};
  EXPECT_EQ(gantry::json::to_text(numbers), boost::json::serialize(gantry::json::to(numbers)));
  std::vector<std::uint64_t> large{std::numeric_limits<std::uint64_t>::max()};
  EXPECT_EQ(gantry::json::to_text(large), boost::json::serialize(gantry::json::to(large)));
  std::vector<double> fractions{0.5, -1e300, 3.0};
  EXPECT_EQ(gantry::json::to_text(fractions), boost::json::serialize(gantry::json::to(fractions)));
  std::vector<bool> flags{true, false};
  EXPECT_EQ(gantry::json::to_text(flags), "[true,false]");
  EXPECT_EQ(gantry::json::to_text(std::vector<std::string>{}), "[]");
  EXPECT_EQ(gantry::json::to_text(std::map<std::string, int>{}), "{}");
  EXPECT_EQ(gantry::json::to_text(std::optional<int>{}), "null");
  EXPECT_EQ(gantry::json::to_text(gantry::Timestamp{}), "\"1970-01-01T00:00:00.000000000Z\"");
}

}  // namespace
