#include "gantry/base/json.h"

#include "compose_fixture.h"

namespace gantry::compose {
namespace {

using testing::HasSubstr;
using Levels = std::vector<std::vector<std::string>>;

const std::string kShop = R"(services:
  web: {image: nginx, depends_on: [app], ports: ['80:80'], networks: [front]}
  app: {build: ., depends_on: [db, cache], networks: [front, back], volumes: ['data:/d'], cpus: 1.5}
  db: {image: postgres, networks: [back], healthcheck: {test: x, interval: 5s}}
  cache: {image: redis, networks: [back]}
  lone: {image: lone}
networks: {front: , back: }
volumes: {data: , spare: }
)";

TEST(Stack, TravelsAsJson) {
  auto stack = load_text(kShop).stack;
  auto back = stack_from_json(json::parse(boost::json::serialize(to_json(stack)), "stack"));
  EXPECT_EQ(back, stack);
  EXPECT_EQ(canonical_text(back), canonical_text(stack));
}

TEST(Stack, EqualFilesHaveEqualText) {
  auto one = load_text("services:\n  web:\n    image: a\n    environment: [B=2, A=1]\n    ports: ['80:80']\n");
  auto two =
      load_text("services: {web: {ports: [{target: 80, published: 80}], environment: {A: 1, B: 2}, image: a}}\n");
  EXPECT_EQ(canonical_text(one.stack), canonical_text(two.stack));
}

std::string border_error(const std::function<void(boost::json::object&)>& spoil) {
  auto value = to_json(load_text(kShop).stack);
  spoil(value.as_object());
  try {
    stack_from_json(value);
    return "no error";
  } catch (const Error& error) {
    return error.message();
  }
}

boost::json::object& service_of(boost::json::object& stack, std::string_view name) {
  return stack["services"].as_object()[name].as_object();
}

TEST(Stack, TheBorderTrustsNothing) {
  EXPECT_THAT(border_error([](auto& stack) { stack["extra"] = 1; }), HasSubstr("unknown key 'extra'"));
  EXPECT_THAT(border_error([](auto& stack) { service_of(stack, "web")["imge"] = "x"; }),
              HasSubstr("unknown key 'imge'"));
  EXPECT_THAT(border_error([](auto& stack) { service_of(stack, "web")["replicas"] = -1; }),
              HasSubstr("$.services.web.replicas"));
  EXPECT_THAT(border_error([](auto& stack) { service_of(stack, "web")["replicas"] = 4000000; }),
              HasSubstr("1000 at most"));
  EXPECT_THAT(border_error([](auto& stack) { service_of(stack, "web")["name"] = "other"; }), HasSubstr("differs"));
  EXPECT_THAT(border_error([](auto& stack) { service_of(stack, "web")["image"] = ""; }), HasSubstr("image: is empty"));
  EXPECT_THAT(border_error([](auto& stack) { stack["name"] = "../x"; }), HasSubstr("not a stack's name"));
  EXPECT_THAT(border_error([](auto& stack) { stack["networks"].as_object().erase("back"); }),
              HasSubstr("not declared"));
  EXPECT_THAT(border_error([](auto& stack) { stack["services"].as_object().erase("db"); }),
              HasSubstr("there is no service 'db'"));
  EXPECT_THAT(border_error([](auto& stack) {
                service_of(stack, "db")["depends_on"] = {{"web", boost::json::object()}};
              }),
              HasSubstr("in a circle: app -> db -> web -> app"));
  EXPECT_THAT(border_error([](auto& stack) {
                service_of(stack, "app")["mounts"].as_array()[0].as_object()["target"] = "../etc";
              }),
              HasSubstr("not an absolute path"));
  EXPECT_THAT(border_error([](auto& stack) {
                service_of(stack, "web")["environment"] = {{"A=B", "x"}};
              }),
              HasSubstr("not a variable"));
  EXPECT_THAT(border_error([](auto& stack) { service_of(stack, "web")["hostname"] = std::string_view("a\0b", 3); }),
              HasSubstr("zero byte"));
  EXPECT_THAT(border_error([](auto& stack) {
                service_of(stack, "web")["ports"].as_array()[0].as_object()["container_port"] = 0;
              }),
              HasSubstr("cannot be 0"));
}

TEST(Stack, HashFollowsWhatNeedsANewContainer) {
  auto service = load_text(kShop).stack.services.at("app");
  auto hash = config_hash(service);
  EXPECT_EQ(hash.size(), 64u);
  EXPECT_EQ(config_hash(load_text(kShop).stack.services.at("app")), hash);
  auto changed = [&](auto change) {
    auto copy = service;
    change(copy);
    return config_hash(copy) != hash;
  };
  EXPECT_TRUE(changed([](Service& s) { s.image = "x"; }));
  EXPECT_TRUE(changed([](Service& s) { s.environment["A"] = "1"; }));
  EXPECT_TRUE(changed([](Service& s) { s.command.emplace(); }));
  EXPECT_TRUE(changed([](Service& s) { s.limits.memory = 1u << 30; }));
  EXPECT_TRUE(changed([](Service& s) { s.mounts[0].read_only = true; }));
  EXPECT_TRUE(changed([](Service& s) { s.security.no_new_privileges = false; }));
  EXPECT_TRUE(changed([](Service& s) { s.networks.erase("front"); }));
  EXPECT_FALSE(changed([](Service& s) { s.replicas = 5; }));
  EXPECT_FALSE(changed([](Service& s) { s.build.reset(); }));
  EXPECT_FALSE(changed([](Service& s) { s.depends_on.clear(); }));
  EXPECT_FALSE(changed([](Service& s) { s.profiles = {"x"}; }));
  EXPECT_FALSE(changed([](Service& s) { s.pull_policy = PullPolicy::always; }));
  EXPECT_NE(config_hash(Network{.name = "a"}), config_hash(Network{.name = "a", .internal = true}));
  EXPECT_NE(config_hash(Volume{.name = "a"}), config_hash(Volume{.name = "b"}));
}

TEST(Stack, TheHashDoesNotChangeBetweenVersions) {
  Service service{.name = "web", .image = "nginx", .environment = {{"A", "1"}}};
  EXPECT_EQ(config_hash(service), "c87f9fc1d30651f1dd2e94d2fa11eeea2cbb878a549e2b97a3a50d72b9442786");
}

TEST(Stack, StartsInLevels) {
  EXPECT_EQ(start_levels(load_text(kShop).stack), (Levels{{"cache", "db", "lone"}, {"app"}, {"web"}}));
  EXPECT_EQ(start_levels(Stack{}), Levels{});
  Stack circle;
  circle.services["a"].depends_on["b"];
  circle.services["b"].depends_on["a"];
  EXPECT_THROW(start_levels(circle), Error);
}

TEST(Stack, AVeryLongChainIsNoProblem) {
  Stack stack;
  for (int i = 0; i < 20000; ++i) {
    auto& service = stack.services["s" + std::to_string(i)];
    if (i > 0) service.depends_on["s" + std::to_string(i - 1)];
  }
  EXPECT_EQ(start_levels(stack).size(), 20000u);
}

TEST(Stack, SelectsServicesWithWhatTheyNeed) {
  auto stack = load_text(kShop).stack;
  auto part = select(stack, {"app"});
  EXPECT_THAT(part.services, testing::ElementsAre(testing::Key("app"), testing::Key("cache"), testing::Key("db")));
  EXPECT_THAT(part.networks, testing::ElementsAre(testing::Key("back"), testing::Key("front")));
  EXPECT_THAT(part.volumes, testing::ElementsAre(testing::Key("data")));
  validate(part);
  auto alone = select(stack, {"web"}, false);
  EXPECT_EQ(alone.services.size(), 1u);
  EXPECT_TRUE(alone.services.at("web").depends_on.empty());
  validate(alone);
  try {
    select(stack, {"wbe"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.message(), "stack shop has no service 'wbe'; did you mean 'web'?");
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
  }
}

TEST(Stack, ContainerNames) {
  auto stack = load_text("services: {a: {image: i}, b: {image: i, container_name: own}}\n").stack;
  EXPECT_EQ(container_name(stack, stack.services["a"], 2), "shop-a-2");
  EXPECT_EQ(container_name(stack, stack.services["b"], 1), "own");
}

}  // namespace
}  // namespace gantry::compose
