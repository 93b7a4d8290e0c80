#include "compose_fixture.h"

namespace gantry::compose {
namespace {

using testing::HasSubstr;

TEST(Errors, AllAtOnceInTheOrderOfTheFile) {
  EXPECT_EQ(
      errors_of(R"(name: Shop
services:
  web:
    imge: nginx
    ports: ["80:x"]
    depends_on: [dbb]
    gpus: all
  db:
    image: postgres
    image: twice
    networks: [bakc]
    volumes: ["data:/x"]
networks:
  back:
    driver: overlay
volumes: [data]
typo: 1
)"),
      R"(compose.yaml:1:7 name: 'Shop' is not a stack's name: lower-case letters, digits, '-' and '_', beginning with a letter or digit, 63 at most
compose.yaml:3:3 services.web: a service needs 'image' or 'build'
compose.yaml:4:5 services.web.imge: unknown key; did you mean 'image'?
compose.yaml:5:13 services.web.ports[0]: 'x' is not a port from 1 to 65535 or a range of them
compose.yaml:6:18 services.web.depends_on[0]: there is no service 'dbb'; did you mean 'db'?
compose.yaml:7:5 services.web.gpus: the Compose specification has this key, Gantry does not support it yet
compose.yaml:10:5 duplicate key 'image' (first in line 9)
compose.yaml:11:16 services.db.networks[0]: the network 'bakc' is not declared under the top-level 'networks'; did you mean 'back'?
compose.yaml:12:15 services.db.volumes[0]: the volume 'data' is not declared under the top-level 'volumes'
compose.yaml:15:13 networks.back.driver: Gantry does not support the network driver 'overlay' yet
compose.yaml:16:10 volumes: expected a mapping, this is a list
compose.yaml:17:1 typo: unknown key)");
}

TEST(Errors, SummariesAndKinds) {
  auto kind_of = [](const std::string& text) {
    try {
      load_text(text);
    } catch (const Error& error) {
      return std::pair(error.kind(), error.message());
    }
    return std::pair(ErrorKind::internal, std::string());
  };
  EXPECT_EQ(kind_of(web("    a: 1\n    b: 1\n")),
            std::pair(ErrorKind::invalid, std::string("the compose file has 2 mistakes")));
  EXPECT_EQ(kind_of(web("    a: 1\n")), std::pair(ErrorKind::invalid, std::string("the compose file has a mistake")));
  EXPECT_EQ(kind_of(web("    gpus: all\n")),
            std::pair(ErrorKind::unsupported, std::string("the compose file uses what Gantry does not support yet")));
}

TEST(Errors, EachWithItsPlace) {
  struct Case {
    std::string keys;  ///< of the service web, from line 4 on
    std::string error;
  };
  const Case cases[] = {
      {"    init: maybe\n", "4:11 services.web.init: expected true or false, this is 'maybe'"},
      {"    user: [a]\n", "4:11 services.web.user: expected a string, this is a list"},
      {"    labels: text\n", "4:13 services.web.labels: expected a mapping or a list of NAME=VALUE, this is 'text'"},
      {"    labels:\n      a: [1]\n", "5:10 services.web.labels.a: expected a string, this is a list"},
      {"    labels: [=x]\n", "4:14 services.web.labels[0]: expected NAME=VALUE, the name is empty"},
      {"    environment:\n      - A=1\n      - [b]\n",
       "6:9 services.web.environment[1]: expected a string, this is a list"},
      {"    environment: {'': x}\n", "4:19 services.web.environment: a name is empty"},
      {"    command: \"a 'b\"\n", "4:14 services.web.command: a quote or backslash is left open in 'a 'b'"},
      {"    command: {a: b}\n", "4:14 services.web.command: expected a string or a list of strings, this is a mapping"},
      {"    scale: -1\n", "4:12 services.web.scale: expected a whole number that is not negative, this is '-1'"},
      {"    scale: 1.5\n", "4:12 services.web.scale: expected a whole number that is not negative, this is '1.5'"},
      {"    scale: 100000\n", "4:12 services.web.scale: 1000 at most"},
      {"    cpus: many\n", "4:11 services.web.cpus: expected a number, this is 'many'"},
      {"    cpus: -1\n", "4:11 services.web.cpus: must be more than 0"},
      {"    cpus: nan\n", "4:11 services.web.cpus: expected a number, this is 'nan'"},
      {"    mem_limit: lots\n", "4:16 services.web.mem_limit: expected a size such as '64m', this is 'lots'"},
      {"    mem_limit: 1k\n", "4:16 services.web.mem_limit: the smallest memory limit is 6m"},
      {"    deploy: {resources: {limits: {memory: 1k}}}\n",
       "4:43 services.web.deploy.resources.limits.memory: the smallest memory limit is 6m"},
      {"    mem_limit: 64m\n    memswap_limit: 32m\n",
       "5:20 services.web.memswap_limit: memory and swap together cannot be less than the memory limit"},
      {"    memswap_limit: 32m\n", "4:20 services.web.memswap_limit: needs a memory limit beside it"},
      {"    cpus: 1\n    deploy: {resources: {limits: {cpus: 2}}}\n",
       "4:11 services.web.cpus: differs from 'deploy.resources.limits.cpus': give only one of them"},
      {"    scale: 1\n    deploy: {replicas: 2}\n",
       "4:12 services.web.scale: differs from 'deploy.replicas': give only one of them"},
      {"    restart: sometimes\n",
       "4:14 services.web.restart: 'sometimes' is not a restart policy: expected no, always, on-failure[:RETRIES] or "
       "unless-stopped"},
      {"    restart: always:3\n",
       "4:14 services.web.restart: 'always:3' is not a restart policy: expected no, always, on-failure[:RETRIES] or "
       "unless-stopped"},
      {"    restart: on-failure:x\n", "4:14 services.web.restart: 'x' is not a number of retries"},
      {"    stop_grace_period: 10\n",
       "4:24 services.web.stop_grace_period: expected a duration such as '1m30s', this is '10'"},
      {"    stop_signal: SIGTREM\n",
       "4:18 services.web.stop_signal: there is no signal 'SIGTREM'; did you mean 'SIGTERM'?"},
      {"    cap_add: [NET_ADMN]\n",
       "4:14 services.web.cap_add: there is no capability 'NET_ADMN'; did you mean 'NET_ADMIN'?"},
      {"    security_opt: ['writable-cgroups=true']\n",
       "4:20 services.web.security_opt[0]: Gantry does not support the security option 'writable-cgroups' yet"},
      {"    security_opt: ['seccomp:p.json']\n",
       "4:20 services.web.security_opt[0]: the profile /work/shop/p.json cannot be read"},
      {"    security_opt: ['no-new-privilege']\n",
       "4:20 services.web.security_opt[0]: unknown security option 'no-new-privilege'; did you mean "
       "'no-new-privileges'?"},
      {"    userns_mode: private\n",
       "4:18 services.web.userns_mode: unknown user namespace mode 'private': expected host"},
      {"    network_mode: hots\n",
       "4:19 services.web.network_mode: unknown network mode 'hots': expected none, host, service:NAME or "
       "container:NAME"},
      {"    pid: service\n",
       "4:10 services.web.pid: unknown mode 'service': expected host, service:NAME or container:NAME"},
      {"    secrets: [key]\n", "4:15 services.web.secrets[0]: 'key' is not declared under the top-level 'secrets'"},
      {"    secrets: [key]\nsecrets: {key: {environment: KEY}}\n",
       "5:30 secrets.key.environment: Gantry supports only those with 'file' yet"},
      {"    uts: private\n", "4:10 services.web.uts: unknown mode 'private': expected host"},
      {"    devices: [fuse]\n", "4:15 services.web.devices[0]: 'fuse' is not the path of a device"},
      {"    devices: ['/dev/fuse:/dev/fuse:x']\n",
       "4:15 services.web.devices[0]: 'x' are not permissions: of r, w and m"},
      {"    volumes_from: ['web2:rx']\n", "4:20 services.web.volumes_from[0]: 'rx' is neither ro nor rw"},
      {"    network_mode: none\n    mac_address: 02:00:00:00:00:01\n",
       "5:18 services.web.mac_address: needs exactly one network; with several, give each its own 'mac_address'"},
      {"    network_mode: host\n    networks: [default]\n",
       "4:19 services.web.network_mode: 'network_mode' and 'networks' exclude each other"},
      {"    dns: [1.1.1]\n", "4:11 services.web.dns[0]: '1.1.1' is not an IP address"},
      {"    extra_hosts: [a]\n", "4:19 services.web.extra_hosts[0]: 'a' is not NAME:ADDRESS"},
      {"    extra_hosts: [a:b]\n", "4:19 services.web.extra_hosts[0]: 'b' is not an IP address"},
      {"    networks: {default: {ipv4_address: x}}\n",
       "4:40 services.web.networks.default.ipv4_address: 'x' is not an IPv4 address"},
      {"    networks: {default: {ipv4: x}}\n", "4:26 services.web.networks.default.ipv4: unknown key"},
      {"    healthcheck: {test: [curl]}\n",
       "4:25 services.web.healthcheck.test: the first word must be NONE, CMD or CMD-SHELL"},
      {"    healthcheck: {interval: 0s, test: x}\n", "4:29 services.web.healthcheck.interval: must be more than 0"},
      {"    healthcheck: {retires: 3}\n",
       "4:19 services.web.healthcheck.retires: unknown key; did you mean 'retries'?"},
      {"    depends_on: {web2: {condition: service_started}}\n",
       "4:18 services.web.depends_on.web2: there is no service 'web2'; did you mean 'web'?"},
      {"    depends_on: {d: {condition: healthy, required: false}}\n",
       "4:33 services.web.depends_on.d.condition: unknown condition 'healthy': expected service_started, "
       "service_healthy or service_completed_successfully"},
      {"    ulimits: {nofiles: 3}\n",
       "4:15 services.web.ulimits.nofiles: there is no limit 'nofiles'; did you mean 'nofile'?"},
      {"    ulimits: {nofile: {soft: 3}}\n", "4:23 services.web.ulimits.nofile: both 'soft' and 'hard' are needed"},
      {"    ulimits: {nofile: {soft: 3, hard: 2}}\n",
       "4:15 services.web.ulimits.nofile: the soft limit exceeds the hard one"},
      {"    logging: {driver: journald}\n",
       "4:23 services.web.logging.driver: Gantry does not support the log driver 'journald'"},
      {"    logging: {options: {max-sise: 1m}}\n",
       "4:25 services.web.logging.options.max-sise: unknown key; did you mean 'max-size'?"},
      {"    pull_policy: daily\n",
       "4:18 services.web.pull_policy: Gantry does not support the pull policy 'daily' yet"},
      {"    pull_policy: nevre\n",
       "4:18 services.web.pull_policy: unknown pull policy 'nevre': expected missing, always, never or build"},
      {"    platform: linux/s390x\n",
       "4:15 services.web.platform: Gantry does not support other platforms than the host's yet, this is "
       "'linux/s390x'"},
      {"    container_name: x\n    scale: 2\n",
       "4:21 services.web.container_name: a service with more than one replica cannot have a container name"},
      {"    working_dir: here\n", "4:18 services.web.working_dir: 'here' is not an absolute path"},
      {"    build: {context: 'https://example.org/x.git'}\n",
       "4:22 services.web.build.context: Gantry does not support building from a remote context yet"},
      {"    build: {dockerfile: a, dockerfile_inline: b}\n",
       "4:12 services.web.build: 'dockerfile' and 'dockerfile_inline' exclude each other"},
      {"    env_file: [{path: a, format: yaml}]\n",
       "4:16 services.web.env_file[0]: unknown format 'yaml': expected raw"},
  };
  for (const auto& each : cases) EXPECT_EQ(errors_of(web(each.keys)), "compose.yaml:" + each.error) << each.keys;
}

TEST(Errors, EveryKeyOfTheSpecificationIsKnown) {
  const char* const kUnsupported[] = {
      "cgroup_parent", "cpu_count", "cpu_percent", "cpu_rt_period", "cpu_rt_runtime", "credential_spec",
      "develop",       "gpus",      "isolation",   "label_file",    "models",         "post_start",
      "pre_stop",      "provider",  "runtime",     "storage_opt",   "use_api_socket"};
  for (const std::string key : kUnsupported)
    EXPECT_EQ(errors_of(web("    " + key + ": x\n")),
              "compose.yaml:4:5 services.web." + key +
                  ": the Compose specification has this key, Gantry does not support it yet");
  for (const std::string key : {"include", "models"})
    EXPECT_EQ(errors_of(web("") + key + ": {}\n"),
              "compose.yaml:4:1 " + key + ": the Compose specification has this key, Gantry does not support it yet");
}

TEST(Errors, DependencyCyclesAreShown) {
  EXPECT_EQ(errors_of("services:\n  a: {image: i, depends_on: [b]}\n  b: {image: i, depends_on: [c]}\n  c: {image: i, "
                      "depends_on: [a]}\n"),
            "compose.yaml:2:30 services.a.depends_on[0]: services depend on each other in a circle: a -> b -> c -> a");
  EXPECT_EQ(errors_of("services:\n  a: {image: i, depends_on: {a: }}\n"),
            "compose.yaml:2:30 services.a.depends_on.a: services depend on each other in a circle: a -> a");
}

TEST(Errors, NamesAndContainers) {
  EXPECT_THAT(errors_of("services:\n  'we b': {image: i}\n"),
              HasSubstr("compose.yaml:2:3 services.we b: 'we b' is not a valid name"));
  EXPECT_THAT(errors_of(web("") + "volumes: {data: {name: 'a/b'}}\n"),
              HasSubstr("compose.yaml:4:24 volumes.data.name: 'a/b' is not a valid name"));
  EXPECT_EQ(errors_of("services:\n  a: {image: i, container_name: x}\n  b: {image: i, container_name: x}\n"),
            "compose.yaml:3:33 services.b.container_name: 'x' is already the container name of service 'a'");
  EXPECT_EQ(errors_of("services:\n  web:\n"), "compose.yaml:2:3 services.web: expected a mapping, this is nothing");
  EXPECT_EQ(errors_of("services: [a]\n"), "compose.yaml:1:11 services: expected a mapping, this is a list");
  EXPECT_EQ(errors_of("services: {my.web: {image: i, init: 3}}\n"),
            "compose.yaml:1:37 services.my.web.init: expected true or false, this is '3'");
}

TEST(Errors, NetworksAndVolumes) {
  auto top = [](const std::string& text) { return errors_of(web("") + text); };
  EXPECT_EQ(top("networks: {n: {ipam: {config: [{subnet: 10.0.0.0/33}]}}}\n"),
            "compose.yaml:4:32 networks.n.ipam.config[0]: '10.0.0.0/33' is not a subnet such as 10.1.0.0/16");
  EXPECT_EQ(top("networks: {n: {ipam: {config: [{gateway: 10.0.0.1}]}}}\n"),
            "compose.yaml:4:32 networks.n.ipam.config[0]: the key 'subnet' is missing");
  EXPECT_EQ(top("networks: {n: {external: true, driver: bridge}}\n"),
            "compose.yaml:4:32 networks.n: 'driver' and 'external' exclude each other");
  EXPECT_EQ(top("volumes: {v: {driver: nfs}}\n"),
            "compose.yaml:4:23 volumes.v.driver: Gantry does not support the volume driver 'nfs' yet");
  EXPECT_EQ(top("volumes: {v: {driver_opt: {}}}\n"),
            "compose.yaml:4:15 volumes.v.driver_opt: unknown key; did you mean 'driver_opts'?");
}

TEST(Errors, AMistakeInAnAnchorIsSaidOnce) {
  EXPECT_EQ(errors_of("x-base: &b\n  imge: a\nservices:\n  a: {<<: *b, image: i}\n  b: {<<: *b, image: i}\n"),
            "compose.yaml:2:3 services.a.imge: unknown key; did you mean 'image'?");
}

TEST(Errors, ThousandsAreCut) {
  std::string text = web("");
  for (int i = 0; i < 1000; ++i) text += "    k" + std::to_string(i) + ": 1\n";
  EXPECT_THAT(errors_of(text), HasSubstr("and 800 more"));
}

TEST(Warnings, AreReturned) {
  auto loaded = load_text("version: '3'\n" + web("    volumes: ['./a:/a:z']\n"));
  ASSERT_EQ(loaded.warnings.size(), 2u);
  EXPECT_EQ(loaded.warnings[0].message, "version: the key 'version' is obsolete and has no effect: remove it");
  EXPECT_EQ(loaded.warnings[0].place.line, 1);
  EXPECT_THAT(loaded.warnings[1].message, HasSubstr("SELinux"));
}

}  // namespace
}  // namespace gantry::compose
