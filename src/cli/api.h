#pragma once

#include <boost/describe.hpp>
#include <boost/json.hpp>

#include <functional>
#include <string>
#include <vector>

#include "gantry/base/http_client.h"
#include "gantry/base/json.h"
#include "gantry/engine/types.h"

/// Typed calls of the routes in docs/api.md.
namespace gantry::cli::api {

/// What the client shows of the answers; further members of the daemon's types are passed over.
struct Image {
  std::string id;
  std::vector<std::string> references;
  Timestamp created{};
  std::uint64_t size = 0;
};
BOOST_DESCRIBE_STRUCT(Image, (), (id, references, created, size))

struct HistoryItem {
  std::string created_by;
  std::string comment;
  Timestamp created{};
  std::uint64_t size = 0;
};
BOOST_DESCRIBE_STRUCT(HistoryItem, (), (created_by, comment, created, size))

struct IpamPool {
  std::string subnet;
  std::string gateway;
  std::string ip_range;
  std::map<std::string, std::string> aux_addresses;
};
BOOST_DESCRIBE_STRUCT(IpamPool, (), (subnet, gateway, ip_range, aux_addresses))

struct NetworkSpec {
  std::string name;
  std::map<std::string, std::string> labels;
  bool internal = false;
  bool ipv6 = true;
  std::map<std::string, std::string> options;
  std::vector<IpamPool> ipam;
};
BOOST_DESCRIBE_STRUCT(NetworkSpec, (), (name, labels, internal, ipv6, options, ipam))

struct NetworkAttachment {
  std::string network;
  std::vector<std::string> aliases;
  std::optional<std::string> ipv4;
  std::optional<std::string> ipv6;
  std::optional<std::string> mac;
  int gateway_priority = 0;
};
BOOST_DESCRIBE_STRUCT(NetworkAttachment, (), (network, aliases, ipv4, ipv6, mac, gateway_priority))

struct Connection {
  std::string container;
  NetworkAttachment attachment;
};
BOOST_DESCRIBE_STRUCT(Connection, (), (container, attachment))

struct Pruned {
  std::vector<std::string> removed;
  std::uint64_t reclaimed = 0;
};
BOOST_DESCRIBE_STRUCT(Pruned, (), (removed, reclaimed))

struct Network {
  std::string id;
  NetworkSpec spec;
  std::string bridge;
  std::string subnet;
  std::string subnet6;
  int endpoints = 0;
};
BOOST_DESCRIBE_STRUCT(Network, (), (id, spec, bridge, subnet, subnet6, endpoints))

struct Volume {
  std::string name;
  bool anonymous = false;
  Timestamp created{};
  std::string path;
};
BOOST_DESCRIBE_STRUCT(Volume, (), (name, anonymous, created, path))

struct Stack {
  std::string name;
  std::string status;
  int services = 0;
  int containers = 0;
  int running = 0;
  std::int64_t release = 0;
  Timestamp updated{};
};
BOOST_DESCRIBE_STRUCT(Stack, (), (name, status, services, containers, running, release, updated))

struct HostFinding {
  std::string check;
  std::string verdict;
  std::string found;
  std::string fix;
};
BOOST_DESCRIBE_STRUCT(HostFinding, (), (check, verdict, found, fix))

/// path("containers", name, "start") is "/v1/containers/<name>/start": every piece encoded as a segment.
/// Takes no braced list, since g++ 12 cannot compile one inside a co_await expression.
template <class... Segments>
std::string path(const Segments&... segments) {
  std::string out = "/v1";
  ((out += "/" + http::encode_segment(segments)), ...);
  return out;
}

task<boost::json::value> get(const http::Client& client, std::string path, http::Query query = {});
task<> post(const http::Client& client, std::string path, http::Query query = {});
task<boost::json::value> post_json(const http::Client& client, std::string path, boost::json::value body,
                                   http::Query query = {});
task<boost::json::value> remove(const http::Client& client, std::string path, http::Query query = {});

template <class T>
task<T> fetch(const http::Client& client, std::string path, http::Query query = {}) {
  auto value = co_await get(client, std::move(path), std::move(query));
  co_return json::from<T>(value);
}

/// Reads a progress stream to its end: `step` for each step, the result is returned, an error thrown.
task<boost::json::value> follow(http::Response response, std::function<void(const boost::json::value&)> step);

}  // namespace gantry::cli::api
