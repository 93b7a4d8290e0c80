#include "challenge.h"

#include <gtest/gtest.h>

#include "answers.h"

namespace gantry::registry {
namespace {

TEST(Challenge, IsReadWhateverItsForm) {
  auto found = parse_challenges(R"(Bearer realm="https://auth/token",service="a, \"b\"",scope="x:y:pull,push")");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].scheme, "bearer");
  EXPECT_EQ(found[0].parameters.at("realm"), "https://auth/token");
  EXPECT_EQ(found[0].parameters.at("service"), "a, \"b\"");
  EXPECT_EQ(found[0].parameters.at("scope"), "x:y:pull,push");
  found = parse_challenges(R"(Negotiate, BASIC Realm = plain , Bearer realm=r)");
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[1].scheme, "basic");
  EXPECT_EQ(found[1].parameters.at("realm"), "plain");
  EXPECT_EQ(found[2].parameters.at("realm"), "r");
  EXPECT_TRUE(parse_challenges("").empty());
  EXPECT_TRUE(parse_challenges(",,=,\"").empty());
  EXPECT_EQ(parse_challenges("Bearer realm=\"open").front().parameters.at("realm"), "open");
}

TEST(Answer, ItsReasonIsPassedOnCleaned) {
  HttpAnswer answer{
      .status = 403, .headers = {}, .body = R"({"errors":[{"code":"DENIED","message":"no\u001b[31m way."}]})"};
  auto error = refusal(answer, "image x", "reg", false);
  EXPECT_EQ(error.kind(), ErrorKind::denied);
  EXPECT_EQ(error.message(), "image x: the registry answers 403: no [31m way");
  EXPECT_EQ(error.fix(), "sign in with 'gantry login reg'");
  answer.body = "<html>a page</html>";
  EXPECT_EQ(refusal(answer, "image x", "reg", true).message(), "image x: the registry answers 403");
  answer.body = R"({"details":"incorrect username or password"})";
  answer.status = 401;
  EXPECT_EQ(refusal(answer, "x", "reg", true).message(), "x: the registry answers 401: incorrect username or password");
}

TEST(Answer, RetryAfterIsSecondsOrADate) {
  auto with = [](const char* value) {
    HttpAnswer answer;
    answer.headers.add("retry-after", value);
    return retry_after(answer);
  };
  EXPECT_EQ(with("7"), std::chrono::seconds(7));
  EXPECT_EQ(with("Wed, 21 Oct 2015 07:28:00 GMT"), std::chrono::seconds(0));
  EXPECT_GT(with("Wed, 21 Oct 2099 07:28:00 GMT"), std::chrono::hours(100));
  EXPECT_EQ(with("soon"), std::nullopt);
  EXPECT_EQ(with("-5"), std::nullopt);
  EXPECT_EQ(retry_after({}), std::nullopt);
}

}  // namespace
}  // namespace gantry::registry
