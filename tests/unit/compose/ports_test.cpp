#include "compose_fixture.h"

namespace gantry::compose {
namespace {

std::vector<Port> ports(const std::string& list) { return web_service("    ports: " + list + "\n").ports; }
std::string port_error(const std::string& item) {
  auto text = errors_of(web("    ports:\n      - " + item + "\n"));
  return text.starts_with("compose.yaml:5:9 services.web.ports[0]: ") ? text.substr(40) : text;
}

TEST(Ports, ShortForms) {
  struct Case {
    std::string text;
    std::vector<Port> ports;
  };
  const Case cases[] = {
      {"'80'", {{.container_port = 80}}},
      {"80", {{.container_port = 80}}},
      {"'8080:80'", {{.host_port = 8080, .container_port = 80}}},
      {"8080:80", {{.host_port = 8080, .container_port = 80}}},
      {"22:22", {{.host_port = 22, .container_port = 22}}},
      {"'53:53/udp'", {{.host_port = 53, .container_port = 53, .protocol = Protocol::udp}}},
      {"'53:53/UDP'", {{.host_port = 53, .container_port = 53, .protocol = Protocol::udp}}},
      {"'127.0.0.1:8001:8001'", {{.host_ip = "127.0.0.1", .host_port = 8001, .container_port = 8001}}},
      {"'127.0.0.1::80'", {{.host_ip = "127.0.0.1", .container_port = 80}}},
      {"'[::1]:8001:80'", {{.host_ip = "::1", .host_port = 8001, .container_port = 80}}},
      {"'0:80'", {{.container_port = 80}}},
      {"'8000-8010:80'", {{.host_port = 8000, .container_port = 80, .host_port_end = 8010}}},
      {"'3000-3002'", {{.container_port = 3000}, {.container_port = 3001}, {.container_port = 3002}}},
      {"'9090-9091:80-81'", {{.host_port = 9090, .container_port = 80}, {.host_port = 9091, .container_port = 81}}},
      {"'127.0.0.1:5000-5001:5000-5001/udp'",
       {{.host_ip = "127.0.0.1", .host_port = 5000, .container_port = 5000, .protocol = Protocol::udp},
        {.host_ip = "127.0.0.1", .host_port = 5001, .container_port = 5001, .protocol = Protocol::udp}}},
  };
  for (const auto& each : cases) EXPECT_EQ(ports("[" + each.text + "]"), each.ports) << each.text;
}

TEST(Ports, LongForm) {
  EXPECT_EQ(ports("[{target: 80, published: \"8080\", host_ip: 127.0.0.1, protocol: udp, mode: host, name: web, "
                  "app_protocol: http}]"),
            (std::vector<Port>{
                {.host_ip = "127.0.0.1", .host_port = 8080, .container_port = 80, .protocol = Protocol::udp}}));
  EXPECT_EQ(ports("[{target: 80}]"), (std::vector<Port>{{.container_port = 80}}));
  EXPECT_EQ(ports("[{target: 80, published: 8080}]"), (std::vector<Port>{{.host_port = 8080, .container_port = 80}}));
}

TEST(Ports, Mistakes) {
  EXPECT_EQ(port_error("'eighty'"), "'eighty' is not a port from 1 to 65535 or a range of them");
  EXPECT_EQ(port_error("'0'"), "'0' is not a port from 1 to 65535 or a range of them");
  EXPECT_EQ(port_error("'65536'"), "'65536' is not a port from 1 to 65535 or a range of them");
  EXPECT_EQ(port_error("'-1:80'"), "'-1' is not a port from 1 to 65535 or a range of them");
  EXPECT_EQ(port_error("'90-80'"), "'90-80' is not a port from 1 to 65535 or a range of them");
  EXPECT_EQ(port_error("'8000-8001:80-82'"), "the ranges '8000-8001' and '80-82' differ in length");
  EXPECT_EQ(port_error("'80:80/icmp'"), "unknown protocol 'icmp': expected tcp or udp");
  EXPECT_EQ(port_error("'80:80/sctp'"), "Gantry does not support the protocol 'sctp' yet");
  EXPECT_EQ(port_error("'a:1:2:3'"), "'a:1:2:3' is not a port: expected [[HOST_IP:]PUBLISHED:]TARGET[/PROTOCOL]");
  EXPECT_EQ(port_error("'localhost:80:80'"), "'localhost' is not an IP address");
  EXPECT_EQ(port_error("[80]"), "expected a string, this is a list");
  EXPECT_EQ(errors_of(web("    ports: [{published: 80}]\n")),
            "compose.yaml:4:13 services.web.ports[0]: the key 'target' is missing");
  EXPECT_EQ(errors_of(web("    ports: 80\n")),
            "compose.yaml:4:12 services.web.ports: expected a list of ports, this is '80'");
}

TEST(Ports, AreBounded) {
  EXPECT_EQ(port_error("1-65535"), "the stack has more than 20000 ports");
  EXPECT_EQ(errors_of(web("    expose: ['1-65535/udp']\n")),
            "compose.yaml:4:14 services.web.expose[0]: the stack has more than 20000 ports");
}

TEST(Ports, TheHostHasEachPortOnce) {
  EXPECT_EQ(errors_of("services:\n  a: {image: a, ports: ['80:80']}\n  b: {image: b, ports: ['127.0.0.1:80:81']}\n"),
            "compose.yaml:3:25 services.b.ports[0]: the host's port 80 is already published by service 'a'");
  EXPECT_EQ(errors_of("services:\n  a: {image: a, ports: ['80:80']}\n  b: {image: b, ports: ['80:81/udp']}\n"),
            "no error");
  EXPECT_EQ(
      errors_of(
          "services:\n  a: {image: a, ports: ['127.0.0.1:80:80']}\n  b: {image: b, ports: ['127.0.0.2:80:81']}\n"),
      "no error");
  EXPECT_EQ(errors_of(web("    network_mode: host\n    ports: ['80']\n")),
            "compose.yaml:5:12 services.web.ports: ports cannot be published together with 'network_mode'");
}

}  // namespace
}  // namespace gantry::compose
