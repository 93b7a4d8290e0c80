#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "gantry/api/access.h"
#include "gantry/base/http_server.h"

/// Route tables: what a front consists of.
namespace gantry::api {

/// A request on its way to its handler: authorized, its path matched, its query parameters known to the route.
struct Call {
  http::Exchange& exchange;
  std::map<std::string, std::string> parameters;  ///< of the path
  Principal principal;
  std::string project;
  std::string* audited_object;  ///< a handler that makes an object writes its name here

  const std::string& parameter(const std::string& name) const { return parameters.at(name); }
  const http::Query& query() const { return exchange.request().target.query; }
};

enum class Effect { reads, changes };

struct Route {
  std::string method;
  /// "/v1/containers/{id}/start": a parameter is a whole segment; "{name...}", at most once, is one or more of them.
  std::string pattern;
  std::string action;  ///< what the authorizer is asked about
  Effect effect = Effect::reads;
  std::vector<std::string> query;  ///< the query parameters there are; others are refused
  std::function<task<>(Call)> handler;
};

struct Match {
  const Route* route = nullptr;
  std::map<std::string, std::string> parameters;
  /// The value of the path's first parameter: the object that is acted on.
  std::string object;
};

class Router {
 public:
  /// Throws Error (internal) when two routes have the same method and pattern.
  explicit Router(std::vector<Route> routes);
  /// A literal segment wins over a parameter. Throws Error: not_found, or 405 with the allowed methods in its fix.
  Match match(const std::string& method, const http::Target& target) const;
  const std::vector<Route>& routes() const { return routes_; }

 private:
  std::vector<Route> routes_;
  std::vector<std::vector<std::string>> patterns_;
};

/// Throws Error (invalid) for a query parameter that the route does not have.
void check_query(const Route& route, const http::Query& query);

}  // namespace gantry::api
