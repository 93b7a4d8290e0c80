#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gantry/base/time.h"
#include "gantry/engine/types.h"

/// How containers look to people. Pure: time is a parameter.
namespace gantry::cli {

/// "Up 3 minutes (healthy)", "Exited (1) 5 seconds ago", "Created", "Restarting (1) 2 seconds ago".
std::string status_text(const engine::ContainerInfo& container, Timestamp now);
/// "*:8080->80/tcp, 127.0.0.1:53->53/udp"; neighbouring ports in a row become a range.
std::string ports_text(const std::vector<engine::PortBinding>& ports);
/// "ok", or what is switched off: "userns=host, cap_add=NET_ADMIN".
std::string isolation_text(const engine::ContainerInfo& container);
/// "5 minutes ago"; "now" for the future.
std::string ago(Timestamp then, Timestamp now);
/// The first twelve digits of "sha256:...".
std::string short_digest(const std::string& digest);

/// What to open in a browser or connect to, one per published port: "http://localhost:8080/", "localhost:5432 (tcp)".
struct Address {
  std::string who;  ///< the service, or the container's name
  std::string text;
};
std::vector<Address> addresses(const std::vector<engine::ContainerInfo>& containers);

/// How people name a container of a stack: its service; else its name.
std::string display_name(const engine::ContainerInfo& container);
std::string label_of(const engine::ContainerInfo& container, const char* label);

}  // namespace gantry::cli
