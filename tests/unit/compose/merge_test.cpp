#include "compose_fixture.h"

namespace gantry::compose {
namespace {

using testing::HasSubstr;
using Words = std::vector<std::string>;

/// The service web of two files, each with its keys of that service.
Service merged(const std::string& base, const std::string& over) {
  auto options = in_memory({{"a.yaml", web(base)}, {"b.yaml", "services:\n  web:\n" + over}});
  options.files = {"a.yaml", "b.yaml"};
  return load(options).stack.services.at("web");
}

TEST(Merge, ScalarsAreReplacedAndMappingsJoined) {
  auto service = merged("    user: a\n    hostname: h\n    labels: {a: '1', b: '1'}\n",
                        "    user: b\n    labels: {b: '2', c: '2'}\n");
  EXPECT_EQ(service.user, "b");
  EXPECT_EQ(service.hostname, "h");
  EXPECT_EQ(service.labels, (StringMap{{"a", "1"}, {"b", "2"}, {"c", "2"}}));
}

TEST(Merge, ListAndMappingFormsOfTheSameKeyAreJoined) {
  EXPECT_EQ(merged("    environment: [A=1, B=1]\n", "    environment: {B: '2', C: '2'}\n").environment,
            (StringMap{{"A", "1"}, {"B", "2"}, {"C", "2"}}));
  EXPECT_EQ(merged("    environment: {A: '1'}\n", "    environment: [B=x=y]\n").environment,
            (StringMap{{"A", "1"}, {"B", "x=y"}}));
  EXPECT_EQ(merged("    environment: {A: '1'}\n", "    environment: {A: }\n").environment, StringMap{});
}

TEST(Merge, SequencesAreAppended) {
  EXPECT_EQ(merged("    dns: 1.1.1.1\n", "    dns: [8.8.8.8]\n").dns, (Words{"1.1.1.1", "8.8.8.8"}));
  EXPECT_EQ(merged("    cap_add: [CHOWN]\n", "    cap_add: [KILL]\n").security.cap_add, (Words{"CHOWN", "KILL"}));
}

TEST(Merge, CommandsAreReplaced) {
  auto service = merged("    command: [echo, foo]\n    entrypoint: a\n    healthcheck: {test: [CMD, a], retries: 3}\n",
                        "    command: [echo, bar]\n    entrypoint: [b]\n    healthcheck: {test: b}\n");
  EXPECT_EQ(service.command, (Words{"echo", "bar"}));
  EXPECT_EQ(service.entrypoint, (Words{"b"}));
  EXPECT_EQ(service.healthcheck, (HealthCheck{.test = {"CMD-SHELL", "b"}, .retries = 3}));
}

TEST(Merge, PortsAndMountsAreUnique) {
  auto service = merged("    ports: ['80:80', '81:81']\n    volumes: ['./a:/work', '/keep']\n    tmpfs: /t\n",
                        "    ports: ['80:80/tcp', {target: 81, published: 81}, '82:82']\n    volumes: ['./b:/work/']\n "
                        "   tmpfs: ['/t:size=1m']\n");
  EXPECT_EQ(service.ports, (std::vector<Port>{{.host_port = 80, .container_port = 80},
                                              {.host_port = 81, .container_port = 81},
                                              {.host_port = 82, .container_port = 82}}));
  ASSERT_EQ(service.mounts.size(), 3u);
  EXPECT_EQ(service.mounts[0].source, "/work/shop/b");
  EXPECT_EQ(service.mounts[1].target, "/keep");
  EXPECT_EQ(service.mounts[2].tmpfs_size, 1u << 20);
}

TEST(Merge, NamesAndDetails) {
  auto options = in_memory(
      {{"a.yaml", "services: {web: {image: i, depends_on: [db], networks: [n]}, db: {image: i}}\nnetworks: {n: }\n"},
       {"b.yaml",
        "services: {web: {depends_on: {db: {condition: service_healthy}}, networks: {n: {aliases: [x]}}}}\n"}});
  options.files = {"a.yaml", "b.yaml"};
  auto service = load(options).stack.services.at("web");
  EXPECT_EQ(service.depends_on.at("db").condition, DependencyCondition::service_healthy);
  EXPECT_EQ(service.networks.at("n").aliases, (Words{"x"}));
}

TEST(Merge, BuildAndLogging) {
  auto service = merged("    build: ./app\n    logging: {driver: local, options: {max-size: 1m}}\n",
                        "    build: {args: {A: '1'}}\n    logging: {driver: json-file, options: {max-file: 2}}\n");
  EXPECT_EQ(service.build->context, "/work/shop/app");
  EXPECT_EQ(service.build->args, (StringMap{{"A", "1"}}));
  EXPECT_EQ(service.logging, (Logging{"json-file", std::nullopt, 2}));
}

TEST(Merge, ResetAndOverride) {
  auto service = merged(
      "    ports: ['80:80']\n    environment: {A: '1', B: '1'}\n    user: u\n    dns: [1.1.1.1]\n",
      "    ports: !override ['81:81']\n    environment: {A: !reset null}\n    user: !reset\n    dns: !reset []\n");
  EXPECT_EQ(service.ports, (std::vector<Port>{{.host_port = 81, .container_port = 81}}));
  EXPECT_EQ(service.environment, (StringMap{{"B", "1"}}));
  EXPECT_FALSE(service.user);
  EXPECT_TRUE(service.dns.empty());
}

TEST(Merge, AKeyWithoutValueChangesNothing) { EXPECT_EQ(merged("    user: u\n", "    user:\n").user, "u"); }

TEST(Merge, ErrorsNameTheFile) {
  auto options = in_memory({{"a.yaml", web("    init: 7\n")}, {"b.yaml", "services:\n  web:\n    tty: 7\n"}});
  options.files = {"a.yaml", "b.yaml"};
  auto text = errors_of(options);
  EXPECT_THAT(text, HasSubstr("a.yaml:4:11 services.web.init"));
  EXPECT_THAT(text, HasSubstr("b.yaml:3:10 services.web.tty"));
}

TEST(Extends, InTheSameFile) {
  auto stack = load_text(R"(services:
  base: {image: i, environment: {A: '1', B: '1'}, dns: [1.1.1.1]}
  mid: {extends: base, user: m}
  web: {extends: {service: mid}, environment: [B=2], dns: 8.8.8.8}
)")
                   .stack;
  EXPECT_EQ(stack.services.at("web").image, "i");
  EXPECT_EQ(stack.services.at("web").user, "m");
  EXPECT_EQ(stack.services.at("web").environment, (StringMap{{"A", "1"}, {"B", "2"}}));
  EXPECT_EQ(stack.services.at("web").dns, (Words{"1.1.1.1", "8.8.8.8"}));
}

TEST(Extends, FromAnotherFileWithPathsRelativeToIt) {
  auto options =
      in_memory({{"compose.yaml",
                  "services: {web: {extends: {file: ../lib/common.yaml, service: app}, volumes: ['./own:/own']}}\n"},
                 {"/work/lib/common.yaml",
                  "services: {app: {build: ., user: $U, volumes: ['./data:/data'], env_file: app.env}}\n"},
                 {"/work/lib/app.env", "A=1"}});
  options.env = {{"U", "me"}};
  auto service = load(options).stack.services.at("web");
  EXPECT_EQ(service.build->context, "/work/lib");
  EXPECT_EQ(service.user, "me");
  EXPECT_EQ(service.mounts[0].source, "/work/lib/data");
  EXPECT_EQ(service.mounts[1].source, "/work/shop/own");
  EXPECT_EQ(service.environment, (StringMap{{"A", "1"}}));
}

TEST(Extends, Mistakes) {
  EXPECT_EQ(errors_of("services:\n  a: {image: i, extends: b}\n  b: {image: i, extends: a}\n"),
            "compose.yaml:2:26 services.a.extends: 'extends' goes in a circle: a -> b -> a");
  EXPECT_EQ(errors_of("services:\n  web: {image: i, extends: bas}\n  base: {image: i}\n"),
            "compose.yaml:2:28 services.web.extends: there is no service 'bas' in compose.yaml; did you mean 'base'?");
  EXPECT_EQ(errors_of("services:\n  web: {image: i, extends: {file: x.yaml, service: a}}\n"),
            "compose.yaml:2:28 services.web.extends: there is no file x.yaml");
  EXPECT_EQ(errors_of("services:\n  web: {image: i, extends: {file: compose.yaml, service: web}}\n"),
            "compose.yaml:2:28 services.web.extends: 'extends' goes in a circle: web -> web");
}

TEST(Extends, IsBounded) {
  std::string text = "services:\n  s0: {image: i, command: [";
  for (int i = 0; i < 3000; ++i) text += "a,";
  text += "]}\n";
  for (int i = 1; i < 500; ++i) text += "  s" + std::to_string(i) + ": {extends: s" + std::to_string(i - 1) + "}\n";
  EXPECT_THAT(errors_of(text), HasSubstr("too big"));
}

}  // namespace
}  // namespace gantry::compose
