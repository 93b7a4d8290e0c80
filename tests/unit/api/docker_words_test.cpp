#include <gtest/gtest.h>

#include "docker/create.h"
#include "docker/escape.h"
#include "docker/filters.h"
#include "docker/human.h"
#include "gantry/base/error.h"
#include "gantry/base/json.h"

namespace gantry::api::docker {
namespace {

engine::ContainerSpec spec_of(const std::string& text) {
  auto value = json::parse(text, "test");
  return container_spec(Body(value.get_object()), "/web");
}

std::string refusal_of(const std::string& text) {
  try {
    spec_of(text);
  } catch (const Error& error) {
    return error.message();
  }
  return "accepted";
}

TEST(DockerCreate, WhatTheClientSends) {
  auto spec = spec_of(R"({"Image":"nginx","Cmd":["a","b"],"Env":["A=1"],"Tty":true,"OpenStdin":true,"StdinOnce":true,
    "ExposedPorts":{"80/tcp":{}},"Labels":{"k":"v"},"StopTimeout":3,"Unknown":1,"Entrypoint":null,
    "HostConfig":{"Binds":["/srv:/data:ro","vol:/v"],"PortBindings":{"80/tcp":[{"HostIp":"","HostPort":"8080"}],
      "53/udp":[{"HostIp":"127.0.0.1","HostPort":"5000-5010"}]},"Memory":67108864,"NanoCpus":1500000000,
      "RestartPolicy":{"Name":"on-failure","MaximumRetryCount":3},"NetworkMode":"front","CapAdd":["NET_ADMIN"]},
    "NetworkingConfig":{"EndpointsConfig":{"front":{"Aliases":["www"],"IPAMConfig":{"IPv4Address":"10.1.0.9"}},"back":null}}})");
  EXPECT_EQ(spec.name, "web");
  EXPECT_EQ(spec.command, (std::vector<std::string>{"a", "b"}));
  EXPECT_FALSE(spec.entrypoint);
  EXPECT_TRUE(spec.tty && spec.open_stdin && spec.stdin_once);
  ASSERT_EQ(spec.mounts.size(), 2u);
  EXPECT_EQ(spec.mounts[0].type, engine::MountType::bind);
  EXPECT_TRUE(spec.mounts[0].read_only && spec.mounts[0].create_source);
  EXPECT_EQ(spec.mounts[1].source, "vol");
  ASSERT_EQ(spec.ports.size(), 2u);
  EXPECT_EQ(spec.ports[0].host_ip, engine::kEveryAddress);
  EXPECT_EQ(spec.ports[0].host_port, 8080);
  EXPECT_EQ(spec.ports[1].host_port_end, 5010);
  EXPECT_EQ(spec.ports[1].protocol, engine::Protocol::udp);
  EXPECT_EQ(spec.resources.memory, 64u << 20);
  EXPECT_DOUBLE_EQ(spec.resources.cpus.value(), 1.5);
  EXPECT_EQ(spec.restart.max_retries, 3);
  ASSERT_EQ(spec.networks.size(), 2u);
  EXPECT_EQ(spec.networks[0].network, "front");
  EXPECT_EQ(spec.networks[0].aliases, std::vector<std::string>{"www"});
  EXPECT_EQ(spec.networks[0].ipv4, "10.1.0.9");
  EXPECT_EQ(spec.networks[1].network, "back");
  EXPECT_EQ(spec.stop_grace, std::chrono::seconds(3));
  EXPECT_FALSE(spec.security.no_new_privileges);
}

TEST(DockerCreate, AnEmptyEntrypointTakesTheImagesAway) {
  EXPECT_EQ(spec_of(R"({"Image":"a","Entrypoint":[""]})").entrypoint, std::vector<std::string>{});
  EXPECT_FALSE(spec_of(R"({"Image":"a","Entrypoint":[]})").entrypoint);
  EXPECT_EQ(spec_of(R"({"Image":"a","Entrypoint":"x"})").entrypoint, std::vector<std::string>{"x"});
}

TEST(DockerCreate, ModesOfNamespaces) {
  auto spec = spec_of(R"({"Image":"a","HostConfig":{"NetworkMode":"container:db","PidMode":"host","IpcMode":"shareable"}})");
  EXPECT_EQ(spec.namespaces.network->mode, engine::NamespaceMode::container);
  EXPECT_EQ(spec.namespaces.network->container, "db");
  EXPECT_EQ(spec.namespaces.pid->mode, engine::NamespaceMode::host);
  EXPECT_EQ(spec.namespaces.ipc->mode, engine::NamespaceMode::shareable);
  EXPECT_TRUE(spec_of(R"({"Image":"a","HostConfig":{"NetworkMode":"none"}})").no_network);
}

TEST(DockerCreate, WhatIsWrongIsNamed) {
  EXPECT_EQ(refusal_of(R"({})"), "no command or image specified");
  EXPECT_EQ(refusal_of(R"({"Image":7})"), "invalid JSON: Image: expected a string");
  EXPECT_EQ(refusal_of(R"({"Image":"a","HostConfig":{"Memory":"x"}})"), "invalid JSON: HostConfig.Memory: expected a number");
  EXPECT_EQ(refusal_of(R"({"Image":"a","HostConfig":{"Memory":1}})"), "Minimum memory limit allowed is 6MB");
  EXPECT_EQ(refusal_of(R"({"Image":"a","HostConfig":{"Binds":["/a:b"]}})").substr(0, 37),
            "invalid volume specification: '/a:b':");
  EXPECT_EQ(refusal_of(R"({"Image":"a","HostConfig":{"PortBindings":{"70000/tcp":[]}}})"),
            "invalid port specification: \"70000/tcp\"");
  EXPECT_EQ(refusal_of(R"({"Image":"a","HostConfig":{"SecurityOpt":["x=y"]}})"), "invalid --security-opt: \"x=y\"");
  EXPECT_EQ(refusal_of(R"({"Image":"a","HostConfig":{"AutoRemove":true,"RestartPolicy":{"Name":"always"}}})"),
            "can't create 'AutoRemove' container with restart policy");
}

TEST(DockerFilters, BothForms) {
  http::Query query{{"filters", R"({"label":["a=1","b"],"status":{"running":true,"exited":false}})"}};
  Filters filters(query, {"label", "status"});
  EXPECT_TRUE(filters.match_labels({{"a", "1"}, {"b", ""}}));
  EXPECT_FALSE(filters.match_labels({{"a", "2"}, {"b", ""}}));
  EXPECT_TRUE(filters.match("status", "running"));
  EXPECT_FALSE(filters.match("status", "exited"));
  EXPECT_THROW(Filters(query, {"label"}), Error);
  EXPECT_THROW(Filters(http::Query{{"filters", "{"}}, {"label"}), Error);
  EXPECT_THROW(Filters(http::Query{{"filters", "[]"}}, {"label"}), Error);
  EXPECT_THROW(Filters(http::Query{{"filters", R"({"label":7})"}}, {"label"}), Error);
}

TEST(DockerFilters, PatternsAndNames) {
  Filters filters(http::Query{{"filters", R"({"name":["^web","("]})"}}, {"name"});
  EXPECT_TRUE(filters.match_pattern("name", "web1"));
  EXPECT_FALSE(filters.match_pattern("name", "myweb"));
}

TEST(DockerFilters, Moments) {
  using namespace std::chrono_literals;
  EXPECT_EQ(parse_moment("1700000000").time_since_epoch(), 1700000000s);
  EXPECT_EQ(parse_moment("1700000000.5").time_since_epoch(), 1700000000s + 500ms);
  EXPECT_EQ(parse_moment("2023-11-14T22:13:20Z").time_since_epoch(), 1700000000s);
  auto ago = now() - parse_moment("10m");
  EXPECT_NEAR(std::chrono::duration<double>(ago).count(), 600, 5);
  for (const char* wrong : {"", "x", "1.x", "99999999999999999999", "-", "1e5"}) EXPECT_THROW(parse_moment(wrong), Error) << wrong;
}

TEST(DockerDetachKeys, TheDefaultSequence) {
  DetachKeys keys("");
  EXPECT_EQ(keys.pass("ls\n"), "ls\n");
  EXPECT_EQ(keys.pass("\x10"), "");
  EXPECT_EQ(keys.pass("x"), "\x10x");
  EXPECT_EQ(keys.pass("a\x10\x10"), "a\x10");
  EXPECT_EQ(keys.pass("\x11"), std::nullopt);
  EXPECT_EQ(DetachKeys("ctrl-[,q").pass("\x1bq"), std::nullopt);
  EXPECT_THROW(DetachKeys("ctrl-"), Error);
  EXPECT_THROW(DetachKeys("a,,b"), Error);
}

TEST(DockerHuman, Durations) {
  using namespace std::chrono_literals;
  EXPECT_EQ(human_duration(500ms), "Less than a second");
  EXPECT_EQ(human_duration(1s), "1 second");
  EXPECT_EQ(human_duration(47s), "47 seconds");
  EXPECT_EQ(human_duration(61s), "About a minute");
  EXPECT_EQ(human_duration(3min), "3 minutes");
  EXPECT_EQ(human_duration(1h), "About an hour");
  EXPECT_EQ(human_duration(36h), "36 hours");
  EXPECT_EQ(human_duration(72h), "3 days");
  EXPECT_EQ(human_duration(24h * 20), "2 weeks");
  EXPECT_EQ(human_duration(24h * 365 * 3), "3 years");
}

}  // namespace
}  // namespace gantry::api::docker
