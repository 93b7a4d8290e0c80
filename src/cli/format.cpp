#include "format.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "gantry/base/json.h"
#include "text.h"

namespace gantry::cli {
namespace {

using engine::ContainerInfo;
using engine::State;

std::string host_text(const std::string& ip) {
  if (ip.empty()) return "*";
  return ip.find(':') == std::string::npos ? ip : "[" + ip + "]";
}

bool follows(const engine::PortBinding& before, const engine::PortBinding& after) {
  return after.host_ip == before.host_ip && after.protocol == before.protocol &&
         after.host_port == before.host_port + 1 && after.container_port == before.container_port + 1;
}

std::string range(unsigned first, unsigned last) {
  return first == last ? std::to_string(first) : fmt::format("{}-{}", first, last);
}

// Ports of well-known protocols that a browser cannot open.
constexpr std::array<std::uint16_t, 20> kNotHttp{21,  22,   25,   53,   110,  143,  389,  465,  587,   993,
                                                 995, 1433, 1883, 2379, 3306, 5432, 5672, 6379, 11211, 27017};

bool is_http(const engine::PortBinding& port) {
  return port.protocol == engine::Protocol::tcp && std::ranges::find(kNotHttp, port.container_port) == kNotHttp.end();
}

std::string reachable_host(const std::string& ip) {
  bool anywhere = ip.empty() || ip == "0.0.0.0" || ip == "::" || ip == "127.0.0.1" || ip == "::1";
  return anywhere ? "localhost" : host_text(ip);
}

std::string address_text(const engine::PortBinding& port) {
  auto place = fmt::format("{}:{}", reachable_host(port.host_ip), port.host_port);
  if (!is_http(port)) return place + " (" + json::name_of(port.protocol) + ")";
  bool secure = port.container_port == 443 || port.container_port == 8443;
  return fmt::format("{}://{}/", secure ? "https" : "http", place);
}

}  // namespace

std::string ago(Timestamp then, Timestamp now) { return then >= now ? "now" : about(now - then) + " ago"; }

std::string status_text(const ContainerInfo& container, Timestamp now) {
  auto ended = [&] { return container.finished ? " " + ago(*container.finished, now) : std::string(); };
  switch (container.state) {
    case State::created:
      return container.error.empty() ? "Created" : "Created (" + one_line(container.error) + ")";
    case State::starting:
      return "Starting";
    case State::stopping:
      return "Stopping";
    case State::removing:
      return "Removing";
    case State::restarting:
      return fmt::format("Restarting ({}){}", container.exit_code, ended());
    case State::exited:
      return fmt::format("Exited ({}){}{}", container.exit_code, ended(),
                         container.oom_killed ? " (out of memory)" : "");
    case State::running:
    case State::paused:
      break;
  }
  auto text = "Up " + about(container.started ? now - *container.started : Duration(0));
  if (container.state == State::paused) return text + " (Paused)";
  if (container.health == engine::Health::none) return text;
  bool starting = container.health == engine::Health::starting;
  return text + " (" + (starting ? "health: starting" : json::name_of(container.health)) + ")";
}

std::string ports_text(const std::vector<engine::PortBinding>& ports) {
  auto sorted = ports;
  std::ranges::sort(sorted, [](const auto& a, const auto& b) {
    return std::tie(a.protocol, a.host_ip, a.container_port, a.host_port) <
           std::tie(b.protocol, b.host_ip, b.container_port, b.host_port);
  });
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < sorted.size();) {
    std::size_t last = i;
    while (last + 1 < sorted.size() && follows(sorted[last], sorted[last + 1])) ++last;
    texts.push_back(
        fmt::format("{}:{}->{}/{}", host_text(sorted[i].host_ip), range(sorted[i].host_port, sorted[last].host_port),
                    range(sorted[i].container_port, sorted[last].container_port), json::name_of(sorted[i].protocol)));
    i = last + 1;
  }
  return join(texts, ", ");
}

std::string isolation_text(const ContainerInfo& container) {
  return container.isolation_off.empty() ? "ok" : join(container.isolation_off, ", ");
}

std::string short_digest(const std::string& digest) {
  return cut(digest, ':').found ? cut(digest, ':').after.substr(0, 12) : digest.substr(0, 12);
}

std::string label_of(const ContainerInfo& container, const char* label) {
  auto found = container.spec.labels.find(label);
  return found == container.spec.labels.end() ? "" : found->second;
}

std::string display_name(const ContainerInfo& container) {
  auto service = label_of(container, engine::kServiceLabel);
  return service.empty() ? container.spec.name : service;
}

std::vector<Address> addresses(const std::vector<ContainerInfo>& containers) {
  std::vector<Address> out;
  std::set<std::string> seen;
  for (const auto& container : containers) {
    for (const auto& port : container.ports) {
      auto text = address_text(port);
      if (port.host_port != 0 && seen.insert(text).second) out.push_back({display_name(container), text});
    }
  }
  return out;
}

}  // namespace gantry::cli
