#include "records.h"

#include "gantry/base/json.h"

namespace gantry::network {
namespace {

constexpr const char* kFirstVersion = R"sql(
CREATE TABLE network (
  id TEXT PRIMARY KEY, project TEXT NOT NULL, name TEXT NOT NULL, spec TEXT NOT NULL, bridge TEXT NOT NULL UNIQUE,
  subnet TEXT NOT NULL UNIQUE, gateway TEXT NOT NULL, subnet6 TEXT UNIQUE, gateway6 TEXT, created TEXT NOT NULL,
  UNIQUE (project, name)) STRICT;
CREATE TABLE network_endpoint (
  position INTEGER PRIMARY KEY, container TEXT NOT NULL, network TEXT NOT NULL REFERENCES network (id),
  veth TEXT NOT NULL UNIQUE, interface TEXT NOT NULL, ipv4 TEXT NOT NULL, ipv6 TEXT, mac TEXT NOT NULL,
  default_route INTEGER NOT NULL, names TEXT NOT NULL,
  UNIQUE (container, network), UNIQUE (network, ipv4), UNIQUE (network, ipv6)) STRICT;
CREATE TABLE network_publication (
  container TEXT NOT NULL, network TEXT NOT NULL REFERENCES network (id), host_ip TEXT NOT NULL,
  host_port INTEGER NOT NULL, container_port INTEGER NOT NULL, udp INTEGER NOT NULL,
  UNIQUE (host_ip, host_port, udp)) STRICT;
CREATE TABLE network_setting (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
)sql";

// The way out was a flag of one endpoint; now endpoints are ranked, and Docker's clients know them by an id.
constexpr const char* kSecondVersion = R"sql(
ALTER TABLE network_endpoint ADD COLUMN id TEXT NOT NULL DEFAULT '';
ALTER TABLE network_endpoint ADD COLUMN priority INTEGER NOT NULL DEFAULT 0;
UPDATE network_endpoint SET id = lower(hex(randomblob(32)));
ALTER TABLE network_endpoint DROP COLUMN default_route;
)sql";

std::optional<std::string> optional_text(const store::Row& row, int column) {
  return row.is_null(column) ? std::nullopt : std::optional(row.text(column));
}

template <class T>
std::optional<std::string> text_of(const std::optional<T>& value) {
  if (!value) return std::nullopt;
  if constexpr (std::is_same_v<T, Subnet>) {
    return value->text();
  } else {
    return value->to_string();
  }
}

NetworkRecord read_network(const store::Row& row) {
  NetworkRecord out;
  out.id = NetworkId(row.text(0));
  out.spec = json::from_text<NetworkSpec>(row.text(1), "network record");
  out.bridge = row.text(2);
  out.v4 = parse_subnet("network record", row.text(3));
  out.gateway = parse_address("network record", row.text(4));
  if (auto subnet = optional_text(row, 5)) out.v6 = parse_subnet("network record", *subnet);
  if (auto gateway = optional_text(row, 6)) out.gateway6 = parse_address("network record", *gateway);
  out.created = from_rfc3339(row.text(7)).value_or(Timestamp{});
  out.complete();
  return out;
}

EndpointRecord read_endpoint(const store::Row& row) {
  EndpointRecord out;
  out.position = row.number(0);
  out.container = ContainerId(row.text(1));
  out.network = NetworkId(row.text(2));
  out.veth = row.text(3);
  out.interface = row.text(4);
  out.ipv4 = parse_address("endpoint record", row.text(5));
  if (auto ipv6 = optional_text(row, 6)) out.ipv6 = parse_address("endpoint record", *ipv6);
  out.mac = row.text(7);
  out.names = json::from_text<std::vector<std::string>>(row.text(8), "endpoint record");
  out.id = row.text(9);
  out.priority = static_cast<int>(row.number(10));
  return out;
}

PublicationRecord read_publication(const store::Row& row) {
  PublicationRecord out{ContainerId(row.text(0)), NetworkId(row.text(1)), {}, true};
  out.port.host_ip = row.text(2);
  out.port.host_port = static_cast<std::uint16_t>(row.number(3));
  out.port.container_port = static_cast<std::uint16_t>(row.number(4));
  out.port.udp = row.number(5) != 0;
  return out;
}

}  // namespace

void NetworkRecord::complete() {
  options = parse_bridge_options(spec.options);
  auto pools = wanted_pools(spec);
  plan4 = plan_addresses(spec.name, v4, pools.v4 ? &*pools.v4 : nullptr);
  plan4.gateway = gateway;
  if (!v6) return;
  plan6 = plan_addresses(spec.name, *v6, pools.v6 ? &*pools.v6 : nullptr);
  plan6->gateway = *gateway6;
}

store::Schema schema() { return {"network", {kFirstVersion, kSecondVersion}}; }

Records load(store::Transaction& transaction) {
  Records out;
  transaction.query("SELECT id, spec, bridge, subnet, gateway, subnet6, gateway6, created FROM network", {},
                    [&](const store::Row& row) {
                      auto network = read_network(row);
                      out.networks.emplace(network.id, std::move(network));
                    });
  transaction.query(
      "SELECT position, container, network, veth, interface, ipv4, ipv6, mac, names, id, priority"
      " FROM network_endpoint ORDER BY position",
      {}, [&](const store::Row& row) { out.endpoints.add(read_endpoint(row)); });
  transaction.query("SELECT container, network, host_ip, host_port, container_port, udp FROM network_publication", {},
                    [&](const store::Row& row) { out.publications.push_back(read_publication(row)); });
  return out;
}

void insert(store::Transaction& transaction, const NetworkRecord& network) {
  transaction.run(
      "INSERT INTO network (id, project, name, spec, bridge, subnet, gateway, subnet6, gateway6, created)"
      " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      {network.id.str(), network.spec.project, network.spec.name, json::to_text(network.spec), network.bridge,
       network.v4.text(), network.gateway.to_string(), text_of(network.v6), text_of(network.gateway6),
       to_rfc3339(network.created)});
}

void insert(store::Transaction& transaction, const EndpointRecord& endpoint) {
  transaction.run(
      "INSERT INTO network_endpoint (position, container, network, veth, interface, ipv4, ipv6, mac, names,"
      " id, priority) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      {endpoint.position, endpoint.container.str(), endpoint.network.str(), endpoint.veth, endpoint.interface,
       endpoint.ipv4.to_string(), text_of(endpoint.ipv6), endpoint.mac, json::to_text(endpoint.names), endpoint.id,
       endpoint.priority});
}

void update_names(store::Transaction& transaction, const EndpointRecord& endpoint) {
  transaction.run("UPDATE network_endpoint SET names = ? WHERE position = ?",
                  {json::to_text(endpoint.names), endpoint.position});
}

void insert(store::Transaction& transaction, const PublicationRecord& publication) {
  const auto& port = publication.port;
  transaction.run(
      "INSERT OR REPLACE INTO network_publication (container, network, host_ip, host_port, container_port, udp)"
      " VALUES (?, ?, ?, ?, ?, ?)",
      {publication.container.str(), publication.network.str(), port.host_ip, static_cast<int>(port.host_port),
       static_cast<int>(port.container_port), port.udp});
}

void erase_network(store::Transaction& transaction, const NetworkId& id) {
  transaction.run("DELETE FROM network WHERE id = ?", {id.str()});
}

void erase_endpoints(store::Transaction& transaction, const ContainerId& container) {
  transaction.run("DELETE FROM network_endpoint WHERE container = ?", {container.str()});
}

void erase_endpoint(store::Transaction& transaction, const ContainerId& container, const NetworkId& network) {
  transaction.run("DELETE FROM network_endpoint WHERE container = ? AND network = ?", {container.str(), network.str()});
}

void move_publications(store::Transaction& transaction, const ContainerId& container, const NetworkId& network) {
  transaction.run("UPDATE network_publication SET network = ? WHERE container = ?", {network.str(), container.str()});
}

void erase_publications(store::Transaction& transaction, const ContainerId& container) {
  transaction.run("DELETE FROM network_publication WHERE container = ?", {container.str()});
}

std::optional<std::string> setting(store::Transaction& transaction, std::string_view key) {
  return transaction.text("SELECT value FROM network_setting WHERE key = ?", {key});
}

void set_setting(store::Transaction& transaction, std::string_view key, std::string_view value) {
  transaction.run("INSERT INTO network_setting (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = ?",
                  {key, value, value});
}

void erase_setting(store::Transaction& transaction, std::string_view key) {
  transaction.run("DELETE FROM network_setting WHERE key = ?", {key});
}

}  // namespace gantry::network
