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

}  // namespace
