#include "compose_fixture.h"

namespace gantry::compose {
namespace {

using namespace std::chrono_literals;
using Words = std::vector<std::string>;

TEST(Service, ReadsWhatIsSharedAndGiven) {
  auto service = web_service(R"(
    blkio_config:
      weight: 300
      weight_device: [{path: /dev/sda, weight: 400}]
      device_read_bps: [{path: /dev/sda, rate: 12mb}]
      device_write_iops: [{path: /dev/sda, rate: 30}]
    cgroup: host
    cpu_period: 20000
    cpu_quota: 10000
    device_cgroup_rules: ["c 1:3 mr"]
    devices: ["/dev/fuse", "/dev/a:/dev/b:r", "acme.com/gpu=0", {source: /dev/c, permissions: rw}]
    external_links: [other:db]
    ipc: shareable
    links: ["back:database", back]
    mem_swappiness: 10
    network_mode: service:back
    oom_kill_disable: true
    oom_score_adj: -100
    pid: container:outside
    security_opt: ["apparmor:mine", "label=type:t", "systempaths=unconfined"]
    uts: host
    volumes_from: ["back:ro", "container:outside"]
)",
                             "  back: {image: back}\n");
  EXPECT_EQ(service.network_mode, NetworkMode::shared);
  EXPECT_EQ(service.sharing.network, (Share{ShareMode::service, "back"}));
  EXPECT_EQ(service.sharing.pid, (Share{ShareMode::container, "outside"}));
  EXPECT_EQ(service.sharing.ipc.mode, ShareMode::shareable);
  EXPECT_EQ(service.sharing.uts.mode, ShareMode::host);
  EXPECT_EQ(service.sharing.cgroup.mode, ShareMode::host);
  ASSERT_TRUE(service.depends_on.contains("back")) << "what is shared must be there first";
  EXPECT_TRUE(service.depends_on.at("back").restart);
  EXPECT_EQ(service.devices, (std::vector<DeviceMapping>{{.source = "/dev/fuse"},
                                                         {"/dev/a", "/dev/b", "r"},
                                                         {.source = "acme.com/gpu=0"},
                                                         {.source = "/dev/c", .permissions = "rw"}}));
  EXPECT_EQ(service.device_rules, (Words{"c 1:3 mr"}));
  EXPECT_EQ(service.block_io->weight, 300u);
  EXPECT_EQ(service.block_io->weights, (std::vector<DeviceRate>{{"/dev/sda", 400}}));
  EXPECT_EQ(service.block_io->read_bps, (std::vector<DeviceRate>{{"/dev/sda", 12u << 20}}));
  EXPECT_EQ(service.block_io->write_iops, (std::vector<DeviceRate>{{"/dev/sda", 30}}));
  EXPECT_EQ(service.links, (std::vector<Link>{{"other", "db", false}, {"back", "database"}, {"back", ""}}));
  EXPECT_EQ(service.volumes_from, (std::vector<VolumesFrom>{{"back", true}, {"outside", false, false}}));
  EXPECT_EQ(service.limits.cpu_quota, 10000);
  EXPECT_EQ(service.limits.cpu_period, 20000u);
  EXPECT_EQ(service.limits.memory_swappiness, 10u);
  EXPECT_EQ(service.limits.oom_kill_disable, true);
  EXPECT_EQ(service.limits.oom_score_adj, -100);
  EXPECT_EQ(service.security.apparmor, "mine");
  EXPECT_EQ(service.security.labels, (Words{"type:t"}));
  EXPECT_TRUE(service.security.unmask_paths);
}

TEST(Service, SecretsAndConfigsAreFiles) {
  auto service = web_service(
      "    secrets: [key, {source: key, target: /etc/key, mode: 0400}]\n    configs: [{source: site, target: "
      "/etc/site}]\n",
      "secrets: {key: {file: ./key.txt}}\nconfigs: {site: {file: /srv/site.conf}}\n");
  ASSERT_EQ(service.mounts.size(), 3u);
  EXPECT_EQ(service.mounts[0].source, "/work/shop/key.txt");
  EXPECT_EQ(service.mounts[0].target, "/run/secrets/key");
  EXPECT_TRUE(service.mounts[0].read_only);
  EXPECT_EQ(service.mounts[1].target, "/etc/key");
  EXPECT_EQ(service.mounts[2].source, "/srv/site.conf");
}

TEST(Service, AnAddressOfTheOnlyNetwork) {
  auto service = web_service("    mac_address: 02:00:00:00:00:01\n");
  EXPECT_EQ(service.networks.at("default").mac_address, "02:00:00:00:00:01");
}

TEST(Service, ReadsEverySimpleKey) {
  auto service = web_service(R"(
    annotations: {a: "1"}
    attach: false
    cap_add: [net_admin, CAP_SYS_TIME, NET_ADMIN]
    cap_drop: [ALL]
    container_name: front
    cpu_shares: 512
    cpus: 1.5
    cpuset: 0-3
    dns: [1.1.1.1, "fd00::1"]
    dns_opt: [use-vc]
    dns_search: example.org
    domainname: example.org
    expose: ["3000", "8000-8001/udp"]
    extra_hosts: ["a:10.0.0.1", "b=[fd00::2]", "gw:host-gateway"]
    group_add: [mail, "1000"]
    hostname: box
    init: true
    labels: [x=1, y]
    mem_limit: 64m
    mem_reservation: 32mb
    memswap_limit: -1
    pids_limit: 100
    privileged: true
    profiles: []
    pull_policy: always
    read_only: yes
    security_opt: ["no-new-privileges:false", "seccomp=unconfined"]
    shm_size: 128m
    stdin_open: true
    stop_grace_period: 1m30s
    stop_signal: SIGQUIT
    sysctls: {net.core.somaxconn: 1024}
    tty: true
    user: "1000:1000"
    userns_mode: host
    working_dir: /srv
)");
  EXPECT_EQ(service.annotations, (StringMap{{"a", "1"}}));
  EXPECT_FALSE(service.attach);
  EXPECT_EQ(service.security.cap_add, (Words{"NET_ADMIN", "SYS_TIME"}));
  EXPECT_EQ(service.security.cap_drop, (Words{"ALL"}));
  EXPECT_EQ(service.container_name, "front");
  EXPECT_EQ(service.limits.cpu_shares, 512u);
  EXPECT_EQ(service.limits.cpus, 1.5);
  EXPECT_EQ(service.limits.cpuset, "0-3");
  EXPECT_EQ(service.dns, (Words{"1.1.1.1", "fd00::1"}));
  EXPECT_EQ(service.dns_options, (Words{"use-vc"}));
  EXPECT_EQ(service.dns_search, (Words{"example.org"}));
  EXPECT_EQ(service.domainname, "example.org");
  EXPECT_EQ(service.expose, (std::vector<Port>{{.container_port = 3000},
                                               {.container_port = 8000, .protocol = Protocol::udp},
                                               {.container_port = 8001, .protocol = Protocol::udp}}));
  EXPECT_EQ(service.extra_hosts, (std::vector<ExtraHost>{{"a", "10.0.0.1"}, {"b", "fd00::2"}, {"gw", "host-gateway"}}));
  EXPECT_EQ(service.group_add, (Words{"mail", "1000"}));
  EXPECT_EQ(service.hostname, "box");
  EXPECT_TRUE(service.init);
  EXPECT_EQ(service.labels, (StringMap{{"x", "1"}, {"y", ""}}));
  EXPECT_EQ(service.limits.memory, 64u << 20);
  EXPECT_EQ(service.limits.memory_reservation, 32u << 20);
  EXPECT_TRUE(service.limits.unlimited_swap);
  EXPECT_EQ(service.limits.pids, 100u);
  EXPECT_TRUE(service.security.privileged);
  EXPECT_EQ(service.pull_policy, PullPolicy::always);
  EXPECT_TRUE(service.security.read_only);
  EXPECT_FALSE(service.security.no_new_privileges);
  EXPECT_TRUE(service.security.seccomp_unconfined);
  EXPECT_EQ(service.shm_size, 128u << 20);
  EXPECT_TRUE(service.stdin_open);
  EXPECT_EQ(service.stop_grace_period, 90s);
  EXPECT_EQ(service.stop_signal, "SIGQUIT");
  EXPECT_EQ(service.sysctls, (StringMap{{"net.core.somaxconn", "1024"}}));
  EXPECT_TRUE(service.tty);
  EXPECT_EQ(service.user, "1000:1000");
  EXPECT_TRUE(service.security.user_namespace_host);
  EXPECT_EQ(service.working_dir, "/srv");
}

TEST(Service, DefaultsAreSafe) {
  auto service = web_service("");
  EXPECT_EQ(service.image, "nginx");
  EXPECT_FALSE(service.command);
  EXPECT_FALSE(service.entrypoint);
  EXPECT_TRUE(service.security.no_new_privileges);
  EXPECT_FALSE(service.security.privileged);
  EXPECT_EQ(service.replicas, 1u);
  EXPECT_EQ(service.restart.condition, RestartCondition::no);
  EXPECT_EQ(service.networks.size(), 1u);
  EXPECT_TRUE(service.networks.contains("default"));
}

TEST(Service, CommandsAreSplitAsTheShellWouldAndNotRunByIt) {
  struct Case {
    std::string text;
    std::optional<Words> words;
  };
  const Case cases[] = {
      {"command: echo  a b", Words{"echo", "a", "b"}},
      {"command: echo 'a b' \"c d\"", Words{"echo", "a b", "c d"}},
      {"command: 'sh -c \"echo $$HOME && ls\"'", Words{"sh", "-c", "echo $HOME && ls"}},
      {"command: a\\ b c", Words{"a b", "c"}},
      {"command: '\"a\\\"b\" \"c\\n\"'", Words{"a\"b", "c\\n"}},
      {"command: a ''", Words{"a", ""}},
      {"command: [\"a b\", \"$$x\"]", Words{"a b", "$x"}},
      {"command: []", Words{}},
      {"command: ''", Words{}},
      {"command: ", std::nullopt},
      {"command: null", std::nullopt},
      {"command: >\n      one\n      two", Words{"one", "two"}},
  };
  for (const auto& each : cases) EXPECT_EQ(web_service("    " + each.text + "\n").command, each.words) << each.text;
  EXPECT_EQ(web_service("    entrypoint: a 'b c'\n").entrypoint, (Words{"a", "b c"}));
}

TEST(Service, RestartPolicies) {
  auto restart = [](const std::string& text) { return web_service("    restart: " + text + "\n").restart; };
  EXPECT_EQ(restart("\"no\""), RestartPolicy{});
  EXPECT_EQ(restart("no"), RestartPolicy{});
  EXPECT_EQ(restart("always"), RestartPolicy{RestartCondition::always});
  EXPECT_EQ(restart("unless-stopped"), RestartPolicy{RestartCondition::unless_stopped});
  EXPECT_EQ(restart("on-failure"), RestartPolicy{RestartCondition::on_failure});
  EXPECT_EQ(restart("on-failure:3"), (RestartPolicy{RestartCondition::on_failure, 3}));
}

TEST(Service, HealthChecks) {
  auto full = web_service(R"(
    healthcheck:
      test: ["CMD", "curl", "-f", "http://localhost"]
      interval: 1m30s
      timeout: 10s
      retries: 3
      start_period: 40s
      start_interval: 500ms
)")
                  .healthcheck;
  EXPECT_EQ(full, (HealthCheck{.test = {"CMD", "curl", "-f", "http://localhost"},
                               .interval = 90s,
                               .timeout = 10s,
                               .retries = 3,
                               .start_period = 40s,
                               .start_interval = 500ms}));
  auto test = [](const std::string& keys) { return *web_service("    healthcheck: {" + keys + "}\n").healthcheck; };
  EXPECT_EQ(test("test: curl -f x || exit 1").test, (Words{"CMD-SHELL", "curl -f x || exit 1"}));
  EXPECT_TRUE(test("test: [NONE]").disable);
  EXPECT_TRUE(test("disable: true").disable);
  EXPECT_TRUE(test("interval: 5s").test.empty());
}

TEST(Service, BuildShortAndLong) {
  auto load_build = [](const std::string& keys) {
    auto options = one_file("services:\n  web:\n" + keys);
    options.env = {{"TOKEN", "t"}};
    return load(options).stack.services.at("web");
  };
  auto plain = load_build("    build: ./app\n");
  EXPECT_EQ(plain.image, "shop-web");
  EXPECT_EQ(plain.build->context, "/work/shop/app");
  EXPECT_EQ(plain.build->dockerfile, "/work/shop/app/Dockerfile");
  auto full = load_build(R"(
    image: own/name
    build:
      context: ..
      dockerfile: docker/Web.Dockerfile
      args: [A=1, TOKEN, GONE]
      target: final
      labels: {l: v}
      tags: [own/name:2]
      no_cache: true
      pull: true
)");
  EXPECT_EQ(full.image, "own/name");
  EXPECT_EQ(full.build, (Build{.context = "/work",
                               .dockerfile = "/work/docker/Web.Dockerfile",
                               .args = {{"A", "1"}, {"TOKEN", "t"}},
                               .target = "final",
                               .labels = {{"l", "v"}},
                               .tags = {"own/name:2"},
                               .no_cache = true,
                               .pull = true}));
  auto inlined = load_build("    build:\n      dockerfile_inline: |\n        FROM scratch\n");
  EXPECT_EQ(inlined.build->dockerfile_inline, "FROM scratch\n");
  EXPECT_EQ(inlined.build->context, "/work/shop");
  EXPECT_TRUE(inlined.build->dockerfile.empty());
}

TEST(Service, DeployAndTheOldKeysSayTheSame) {
  auto service = web_service(R"(
    cpus: "0.50"
    deploy:
      replicas: 3
      resources:
        limits: {cpus: "0.50", memory: 50M, pids: 10}
        reservations: {memory: 20M}
      restart_policy: {condition: on-failure, max_attempts: 4}
)");
  EXPECT_EQ(service.replicas, 3u);
  EXPECT_EQ(service.limits.cpus, 0.5);
  EXPECT_EQ(service.limits.memory, 50u << 20);
  EXPECT_EQ(service.limits.memory_reservation, 20u << 20);
  EXPECT_EQ(service.limits.pids, 10u);
  EXPECT_EQ(service.restart, (RestartPolicy{RestartCondition::on_failure, 4}));
  EXPECT_EQ(web_service("    scale: 0\n").replicas, 0u);
}

TEST(Service, ZeroIsNoLimit) {
  EXPECT_EQ(web_service("    mem_limit: 0\n    cpus: 0\n    pids_limit: 0\n    memswap_limit: 0\n").limits, Limits{});
}

TEST(Service, EnvironmentWithoutValueIsTheClients) {
  auto options =
      one_file(web("    environment:\n      HERE:\n      GONE:\n      EMPTY: ''\n      BOOL: true\n      NUM: 1.0\n"));
  options.env = {{"HERE", "h"}};
  EXPECT_EQ(load(options).stack.services.at("web").environment,
            (StringMap{{"HERE", "h"}, {"EMPTY", ""}, {"BOOL", "true"}, {"NUM", "1.0"}}));
}

TEST(Service, NetworksAndDependencies) {
  auto stack = load_text(R"(
services:
  web:
    image: a
    depends_on: [db, cache]
    networks: [front, back]
  app:
    image: a
    depends_on:
      db: {condition: service_healthy, restart: true}
      cache: {condition: service_completed_successfully, required: false}
    networks:
      back: {aliases: [api], ipv4_address: 10.1.0.5, ipv6_address: "fd00::5", priority: 5}
      front:
  db: {image: a, network_mode: none}
  cache: {image: a, network_mode: host}
networks: {front: , back: }
)")
                   .stack;
  EXPECT_EQ(stack.services["web"].depends_on.at("db"), Dependency{});
  EXPECT_EQ(stack.services["web"].networks.size(), 2u);
  EXPECT_EQ(stack.services["app"].depends_on.at("db"), (Dependency{DependencyCondition::service_healthy, true, true}));
  EXPECT_EQ(stack.services["app"].depends_on.at("cache"),
            (Dependency{DependencyCondition::service_completed_successfully, false, false}));
  EXPECT_EQ(stack.services["app"].networks.at("back"), (Attachment{{"api"}, "10.1.0.5", "fd00::5", 5}));
  EXPECT_EQ(stack.services["db"].network_mode, NetworkMode::none);
  EXPECT_TRUE(stack.services["db"].networks.empty());
  EXPECT_EQ(stack.services["cache"].network_mode, NetworkMode::host);
  EXPECT_FALSE(stack.networks.contains("default"));
}

TEST(Service, UlimitsAndLogging) {
  auto service = web_service(R"(
    ulimits:
      nproc: 65535
      nofile: {soft: 20000, hard: 40000}
      memlock: -1
    logging:
      driver: json-file
      options: {max-size: 10m, max-file: "3"}
)");
  EXPECT_EQ(service.ulimits.at("nproc"), (Ulimit{65535, 65535}));
  EXPECT_EQ(service.ulimits.at("nofile"), (Ulimit{20000, 40000}));
  EXPECT_EQ(service.ulimits.at("memlock"), Ulimit{});
  EXPECT_EQ(service.logging, (Logging{"json-file", 10u << 20, 3}));
}

TEST(Service, ExtensionKeysAreIgnoredEverywhere) {
  auto stack = load_text(R"(
x-top: {anything: [1, 2]}
services:
  web:
    image: a
    x-own: 1
    build: {context: ., x-b: 1}
    healthcheck: {test: x, x-h: 1}
    deploy: {x-d: 1, resources: {x-r: 1, limits: {x-l: 1}}}
    ports: [{target: 80, x-p: 1}]
    volumes: [{type: tmpfs, target: /t, x-v: 1}]
networks: {default: {x-n: 1}}
volumes: {data: {x-v: 1}}
)")
                   .stack;
  EXPECT_EQ(stack.services.size(), 1u);
}

}  // namespace
}  // namespace gantry::compose
