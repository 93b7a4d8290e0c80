#include "compose_fixture.h"

namespace gantry::compose {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Key;

const std::string kOne = "services: {one: {image: i}}\n";
const std::string kTwo = "services: {two: {image: i}}\n";

TEST(Project, FindsTheDefaultFilesInOrder) {
  EXPECT_THAT(load(in_memory({{"compose.yml", kOne}, {"compose.yaml", kTwo}})).files,
              ElementsAre("/work/shop/compose.yaml"));
  EXPECT_THAT(load(in_memory({{"docker-compose.yaml", kOne}, {"compose.yml", kTwo}})).files,
              ElementsAre("/work/shop/compose.yml"));
  EXPECT_THAT(load(in_memory({{"docker-compose.yml", kOne}})).files, ElementsAre("/work/shop/docker-compose.yml"));
  EXPECT_EQ(errors_of(in_memory({})), "no compose file in /work/shop or a directory above it");
}

TEST(Project, LaysTheOverrideFileOnTop) {
  auto loaded = load(in_memory({{"compose.yaml", kOne}, {"compose.override.yml", kTwo}}));
  EXPECT_THAT(loaded.stack.services, ElementsAre(Key("one"), Key("two")));
  EXPECT_THAT(loaded.files, ElementsAre("/work/shop/compose.yaml", "/work/shop/compose.override.yml"));
}

TEST(Project, LooksInTheDirectoriesAbove) {
  auto options =
      in_memory({{"/work/compose.yaml", "services: {one: {image: i, build: ., user: $U}}\n"}, {"/work/.env", "U=me"}});
  auto stack = load(options).stack;
  EXPECT_EQ(stack.working_directory, "/work");
  EXPECT_EQ(stack.name, "work");
  EXPECT_EQ(stack.services.at("one").build->context, "/work");
  EXPECT_EQ(stack.services.at("one").user, "me");
}

TEST(Project, NamedFiles) {
  auto options = in_memory({{"compose.yaml", kOne}, {"/else/a.yaml", kTwo}, {"b.yaml", kOne}});
  options.files = {"/else/a.yaml", "b.yaml"};
  auto loaded = load(options);
  EXPECT_EQ(loaded.stack.working_directory, "/else");
  EXPECT_THAT(loaded.stack.services, ElementsAre(Key("one"), Key("two")));
  options.project_directory = "sub/..";
  EXPECT_EQ(load(options).stack.working_directory, "/work/shop");
  options.files = {"gone.yaml"};
  EXPECT_EQ(errors_of(options), "there is no file gone.yaml");
}

TEST(Project, ComposeFileVariable) {
  auto options = in_memory({{"a.yaml", kOne}, {"b.yaml", kTwo}});
  options.env = {{"COMPOSE_FILE", "a.yaml:b.yaml"}};
  EXPECT_EQ(load(options).stack.services.size(), 2u);
  options.env = {{"COMPOSE_FILE", "a.yaml;b.yaml"}, {"COMPOSE_PATH_SEPARATOR", ";"}};
  EXPECT_EQ(load(options).stack.services.size(), 2u);
  EXPECT_EQ(load(in_memory({{".env", "COMPOSE_FILE=b.yaml"}, {"b.yaml", kTwo}})).stack.services.count("two"), 1u);
}

TEST(Project, TheNameComesFromTheNearestSource) {
  Files files{{"compose.yaml", "name: in-file-$X\n" + kOne}, {".env", "X=x"}};
  EXPECT_EQ(load(in_memory(files)).stack.name, "in-file-x");
  EXPECT_EQ(load_name(in_memory(files)), "in-file-x");
  auto options = in_memory(files);
  options.env = {{"COMPOSE_PROJECT_NAME", "variable"}};
  EXPECT_EQ(load(options).stack.name, "variable");
  EXPECT_EQ(load_name(options), "variable");
  options.name = "option";
  EXPECT_EQ(load(options).stack.name, "option");
  EXPECT_EQ(load_name(options), "option");
  options.name = "Not Valid";
  EXPECT_EQ(errors_of(options), "'Not Valid' is not a stack's name");
}

TEST(Project, TheDirectoryGivesANameOfAllowedCharacters) {
  auto options = in_memory({{"/x/_My Shop.2/compose.yaml", kOne}, {"/compose.yaml", kOne}});
  options.current_directory = "/x/_My Shop.2";
  EXPECT_EQ(load(options).stack.name, "myshop2");
  options.current_directory = "/";
  EXPECT_THAT(errors_of(options), HasSubstr("gives no name for the stack"));
}

TEST(Project, TheNameIsFoundInAFileWithMistakes) {
  EXPECT_EQ(load_name(one_file("name: good\nservices: {web: {imge: 1}}\n")), "good");
  EXPECT_EQ(load_name(one_file("services: [")), "shop");
}

TEST(Project, NetworksAndVolumesGetTheirNames) {
  auto stack = load_text(web("") + R"(
networks:
  back: {internal: true, attachable: true, enable_ipv6: true, driver: bridge, labels: [a=b], ipam: {driver: default, config: [{subnet: 10.9.0.0/24, gateway: 10.9.0.1, ip_range: 10.9.0.128/25}]}}
  own: {name: given}
  out: {external: true}
  old: {external: {name: old-name}}
volumes:
  data:
  own: {name: given, labels: {a: b}, driver: local, driver_opts: {type: tmpfs}}
  out: {external: true, name: there}
)")
                   .stack;
  EXPECT_EQ(stack.networks.at("default"), (Network{.name = "shop_default"}));
  EXPECT_EQ(stack.networks.at("back"), (Network{.name = "shop_back",
                                                .internal = true,
                                                .enable_ipv6 = true,
                                                .attachable = true,
                                                .pools = {{"10.9.0.0/24", "10.9.0.1", "10.9.0.128/25"}},
                                                .labels = {{"a", "b"}}}));
  EXPECT_EQ(stack.networks.at("own").name, "given");
  EXPECT_EQ(stack.networks.at("out"), (Network{.name = "out", .external = true}));
  EXPECT_EQ(stack.networks.at("old"), (Network{.name = "old-name", .external = true}));
  EXPECT_EQ(stack.volumes.at("data"), (Volume{.name = "shop_data"}));
  EXPECT_EQ(stack.volumes.at("own"),
            (Volume{.name = "given", .driver_opts = {{"type", "tmpfs"}}, .labels = {{"a", "b"}}}));
  EXPECT_EQ(stack.volumes.at("out"), (Volume{.name = "there", .external = true}));
}

TEST(Profiles, SelectServices) {
  const std::string text = R"(services:
  foo: {image: i}
  bar: {image: i, profiles: [test]}
  baz: {image: i, profiles: [test], depends_on: [bar]}
  zot: {image: i, profiles: [debug], depends_on: [bar]}
  opt: {image: i, depends_on: {bar: {condition: service_started, required: false}}}
)";
  auto names = [&](std::vector<std::string> profiles, std::map<std::string, std::string> env = {},
                   std::vector<std::string> services = {}) {
    auto options = one_file(text);
    options.profiles = std::move(profiles);
    options.env = std::move(env);
    options.services = std::move(services);
    std::string out;
    for (const auto& [name, service] : load(options).stack.services) out += name + " ";
    return out;
  };
  EXPECT_EQ(names({}), "foo opt ");
  EXPECT_EQ(names({"test"}), "bar baz foo opt ");
  EXPECT_EQ(names({"test", "debug"}), "bar baz foo opt zot ");
  EXPECT_EQ(names({}, {{"COMPOSE_PROFILES", "test,debug"}}), "bar baz foo opt zot ");
  EXPECT_EQ(names({"*"}), "bar baz foo opt zot ");
  EXPECT_EQ(names({}, {}, {"baz"}), "bar baz foo opt ");
  EXPECT_EQ(names({"test"}, {}, {"zot"}), "bar baz foo opt zot ");
  auto options = one_file(text);
  options.profiles = {"debug"};
  EXPECT_EQ(errors_of(options),
            "compose.yaml:5:51 services.zot.depends_on[0]: the service 'bar' is not enabled: activate one of its "
            "profiles: test");
}

}  // namespace
}  // namespace gantry::compose
