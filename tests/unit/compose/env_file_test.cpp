#include "compose_fixture.h"

namespace gantry::compose {
namespace {

StringMap environment_from(const std::string& file, std::map<std::string, std::string> env = {},
                           const std::string& entry = "env_file: app.env") {
  auto options = in_memory({{"compose.yaml", web("    " + entry + "\n")}, {"app.env", file}});
  options.env = std::move(env);
  return load(options).stack.services.at("web").environment;
}

TEST(EnvFile, QuotesCommentsAndEscapes) {
  struct Case {
    std::string line;
    std::string value;
  };
  const Case cases[] = {
      {"V=VAL", "VAL"},
      {"V=\"VAL\"", "VAL"},
      {"V='VAL'", "VAL"},
      {"V=VAL # comment", "VAL"},
      {"V=VAL# not a comment", "VAL# not a comment"},
      {"V=\"VAL # not a comment\"", "VAL # not a comment"},
      {"V=\"VAL\" # comment", "VAL"},
      {"V='$OTHER'", "$OTHER"},
      {"V='${OTHER}'", "${OTHER}"},
      {"V='Let\\'s go!'", "Let's go!"},
      {"V=\"{\\\"hello\\\": \\\"json\\\"}\"", "{\"hello\": \"json\"}"},
      {"V=\"some\\tvalue\"", "some\tvalue"},
      {"V='some\\tvalue'", "some\\tvalue"},
      {"V=some\\tvalue", "some\\tvalue"},
      {"V=", ""},
      {"V=a=b", "a=b"},
      {"  V  =  padded  ", "padded"},
      {"export V=x", "x"},
      {"V=\"two\nlines\"", "two\nlines"},
      {"V=$OTHER-${OTHER}", "o-o"},
      {"V=\"$OTHER\"", "o"},
      {"V=\"\\$OTHER\"", "$OTHER"},
      {"V=${NONE:-d}", "d"},
      {"A=1\nV=${A}2", "12"},
      {"\xef\xbb\xbfV=bom", "bom"},
      {"V=crlf\r\n", "crlf"},
      {"V=first\nV=last", "last"},
      {"# c\n\nV=after", "after"},
  };
  for (const auto& each : cases)
    EXPECT_EQ(environment_from(each.line, {{"OTHER", "o"}}).at("V"), each.value) << each.line;
}

TEST(EnvFile, ANameWithoutValueIsTheClients) {
  EXPECT_EQ(environment_from("V\nW\n", {{"V", "mine"}}), (StringMap{{"V", "mine"}}));
}

TEST(EnvFile, RawTakesEverythingAsItIs) {
  EXPECT_EQ(environment_from("V=\"$X\" # c\n", {}, "env_file: [{path: app.env, format: raw}]"),
            (StringMap{{"V", "\"$X\" # c"}}));
}

TEST(EnvFile, LaterFilesAndEnvironmentWin) {
  auto options = in_memory({{"compose.yaml", web("    env_file: [a.env, b.env]\n    environment: {C: c, N: }\n")},
                            {"a.env", "A=1\nB=1\nC=1\nN=1"},
                            {"b.env", "B=2\nD=${A}x\n"}});
  EXPECT_EQ(load(options).stack.services.at("web").environment,
            (StringMap{{"A", "1"}, {"B", "2"}, {"C", "c"}, {"D", "1x"}}));
}

TEST(EnvFile, MissingFiles) {
  EXPECT_EQ(errors_of(web("    env_file: no.env\n")),
            "compose.yaml:4:15 services.web.env_file: there is no file no.env");
  EXPECT_EQ(errors_of(web("    env_file: [{path: no.env, required: false}]\n")), "no error");
}

TEST(EnvFile, MistakesHaveTheirLine) {
  auto errors = [](const std::string& text) {
    return errors_of(in_memory({{"compose.yaml", web("    env_file: app.env\n")}, {"app.env", text}}));
  };
  EXPECT_EQ(errors("A=1\n=2\n"), "app.env:2:1 '' is not a variable's name");
  EXPECT_EQ(errors("A=1\n\nB=\"open\nC=2\n"), "app.env:3:1 the closing \" is missing");
  EXPECT_EQ(errors("A='x' y\n"), "app.env:1:1 unexpected 'y' after the closing '");
  EXPECT_EQ(errors("two words=1\n"), "app.env:1:1 'two words' is not a variable's name");
}

TEST(DotEnv, BytesThatAreNotTextAreRefusedWhereTheyAreUsed) {
  EXPECT_EQ(errors_of(in_memory({{"compose.yaml", web("")}, {".env", "A=1\nB=\xff\n"}})),
            ".env:2:1 a byte that is not text in UTF-8");
  auto options = one_file(web("    user: a$BAD\n"));
  options.env = {{"BAD", "\xff"}, {"UNUSED", "\xff"}};
  EXPECT_EQ(errors_of(options), ":0:0 the value of the variable 'BAD' is not text in UTF-8");
  options.env = {{"BAD", "\x1b[0m"}};
  EXPECT_EQ(load(options).stack.services.at("web").user, "a\x1b[0m");
}

TEST(DotEnv, FeedsInterpolationBelowTheEnvironment) {
  auto options = in_memory({{"compose.yaml", web("    user: \"$A-$B\"\n    environment: [A, X]\n")},
                            {".env", "A=file\nB=file\nX='from file'\n"}});
  options.env = {{"A", "client"}};
  auto service = load(options).stack.services.at("web");
  EXPECT_EQ(service.user, "client-file");
  EXPECT_EQ(service.environment, (StringMap{{"A", "client"}, {"X", "from file"}}));
}

TEST(DotEnv, NamedFilesReplaceIt) {
  auto options = in_memory({{"compose.yaml", web("    user: \"${A:-none}-$B\"\n")},
                            {".env", "A=dot"},
                            {"one.env", "B=1"},
                            {"two.env", "B=2"}});
  options.env_files = {"one.env", "two.env"};
  EXPECT_EQ(load(options).stack.services.at("web").user, "none-2");
  options.env_files = {"gone.env"};
  EXPECT_EQ(errors_of(options), "there is no file gone.env");
}

}  // namespace
}  // namespace gantry::compose
