#include "gantry/api/router.h"

#include "fake_exchange.h"

namespace {
using namespace gantry;
using namespace gantry::api;

task<> nothing(Call) { co_return; }

Router router() {
  return Router({{"GET", "/v1/images", "list", Effect::reads, {"reference"}, nothing},
                 {"GET", "/v1/images/{reference}", "read", Effect::reads, {}, nothing},
                 {"DELETE", "/v1/images/{reference}", "remove", Effect::changes, {}, nothing},
                 {"POST", "/v1/images/import", "import", Effect::changes, {}, nothing},
                 {"POST", "/v1/images/{reference}", "odd", Effect::changes, {}, nothing},
                 {"POST", "/v1/images/{reference}/tag", "tag", Effect::changes, {}, nothing}});
}

std::string action(const std::string& method, std::string_view target) {
  return router().match(method, http::parse_target(target)).route->action;
}

TEST(Router, MatchesWholeSegmentsAndPrefersLiterals) {
  EXPECT_EQ(action("GET", "/v1/images"), "list");
  EXPECT_EQ(action("GET", "/v1/images?reference=x"), "list");
  EXPECT_EQ(action("POST", "/v1/images/import"), "import");
  EXPECT_EQ(action("POST", "/v1/images/other"), "odd");
  EXPECT_EQ(action("GET", "/v1/images/import"), "read");
  auto table = router();
  auto match = table.match("POST", http::parse_target("/v1/images/reg%2Fx%3A1/tag"));
  EXPECT_EQ(match.route->action, "tag");
  EXPECT_EQ(match.object, "reg/x:1");
  EXPECT_EQ(match.parameters.at("reference"), "reg/x:1");
}

TEST(Router, SaysWhatIsWrong) {
  auto table = router();
  for (const char* none : {"/", "/v1", "/v1/images/", "/v1/images/a/b", "/v1//images", "/v1/images/x/tag/y"})
    EXPECT_EQ(error_of([&] { table.match("GET", http::parse_target(none)); }).kind(), ErrorKind::not_found) << none;
  try {
    table.match("PUT", http::parse_target("/v1/images/x"));
    ADD_FAILURE() << "no error";
  } catch (const http::StatusError& error) {
    EXPECT_EQ(error.status(), 405);
    EXPECT_EQ(error.fix(), "use DELETE, GET, POST");
  }
}

TEST(Router, AParameterMaySpanSegments) {
  Router table({{"GET", "/images/{name...}/json", "read", Effect::reads, {}, nothing},
                {"GET", "/images/json", "list", Effect::reads, {}, nothing},
                {"DELETE", "/images/{name...}", "remove", Effect::changes, {}, nothing}});
  auto match = table.match("GET", http::parse_target("/images/registry:5000/a/b/json"));
  EXPECT_EQ(match.parameters.at("name"), "registry:5000/a/b");
  EXPECT_EQ(table.match("GET", http::parse_target("/images/json")).route->pattern, "/images/json");
  EXPECT_EQ(table.match("DELETE", http::parse_target("/images/a/json")).parameters.at("name"), "a/json");
  EXPECT_THROW(table.match("GET", http::parse_target("/images/a")), Error);
}

TEST(Router, RefusesTheSameRouteTwice) {
  EXPECT_THROW(Router({{"GET", "/a", "a", Effect::reads, {}, nothing}, {"GET", "/a", "b", Effect::reads, {}, nothing}}),
               Error);
}

}  // namespace
