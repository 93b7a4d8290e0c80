#include "parameters.h"

#include "fake_exchange.h"
#include "gantry/engine/types.h"

namespace {
using namespace gantry;
using namespace gantry::api;

http::Query query(std::string_view text) { return http::parse_target("/?" + std::string(text)).query; }

TEST(Parameters, ReadsFlagsTimesAndCounts) {
  EXPECT_TRUE(flag(query("all"), "all"));
  EXPECT_TRUE(flag(query("all=true"), "all"));
  EXPECT_FALSE(flag(query("all=0"), "all"));
  EXPECT_TRUE(flag(query(""), "stdout", true));
  EXPECT_EQ(duration(query("grace=1m30s"), "grace"), Duration(std::chrono::seconds(90)));
  EXPECT_EQ(count(query("tail=20"), "tail"), 20u);
  EXPECT_EQ(count(query(""), "tail"), std::nullopt);
  EXPECT_TRUE(timestamp(query("since=2026-11-21T08:30:00Z"), "since"));
  EXPECT_EQ(choice<engine::State>(query("status=exited"), "status"), engine::State::exited);
}

TEST(Parameters, NamesTheParameterThatIsWrong) {
  EXPECT_EQ(error_of([] { flag(query("all=maybe"), "all"); }).message(),
            "query parameter 'all': expected 1, true, 0 or false, not 'maybe'");
  EXPECT_THROW(duration(query("grace=5"), "grace"), Error);
  EXPECT_THROW(count(query("tail=-1"), "tail"), Error);
  EXPECT_THROW(count(query("tail=99999999999999999999999"), "tail"), Error);
  EXPECT_THROW(timestamp(query("since=yesterday"), "since"), Error);
  EXPECT_THROW(required(query("reference="), "reference"), Error);
  EXPECT_THROW(labels(query("label=%3Dx"), "label"), Error);
  auto error = error_of([] { choice<engine::State>(query("status=dead"), "status"); });
  EXPECT_NE(error.message().find("query parameter 'status'"), std::string::npos);
  EXPECT_NE(error.message().find("running"), std::string::npos);
}

TEST(Parameters, LabelsMatchByKeyOrByKeyAndValue) {
  auto wanted = labels(query("label=tier&label=app%3Dweb%3D1"), "label");
  EXPECT_EQ(wanted, (std::map<std::string, std::string>{{"tier", ""}, {"app", "web=1"}}));
  EXPECT_TRUE(has_labels({{"tier", "x"}, {"app", "web=1"}, {"more", ""}}, wanted));
  EXPECT_FALSE(has_labels({{"tier", "x"}, {"app", "web"}}, wanted));
  EXPECT_FALSE(has_labels({{"app", "web=1"}}, wanted));
}

TEST(Parameters, BodiesAreRefusedWithThePath) {
  asio::io_context context;
  auto message = [&](std::string body) {
    FakeExchange exchange("POST", "/", std::move(body));
    return error_of([&] { run(context, body_as<engine::ContainerSpec>(exchange)); }).message();
  };
  EXPECT_NE(message(R"({"image":"x","resources":{"memroy":1}})").find("$.resources: unknown key 'memroy'"),
            std::string::npos);
  EXPECT_NE(message(R"({"ports":[{"container_port":70000}]})").find("$.ports[0].container_port"), std::string::npos);
  EXPECT_NE(message("{").find("request body"), std::string::npos);
  EXPECT_NE(message("").find("request body"), std::string::npos);
}

}  // namespace
