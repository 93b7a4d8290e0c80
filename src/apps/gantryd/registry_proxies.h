#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "gantry/distribution/mirror.h"
#include "gantry/registry/credentials.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace gantry::daemon {

/// What the command line says about other registries that the registry inside is a mirror of.
struct ProxyOptions {
  std::vector<std::string> proxies;  ///< "NAME=URL", "*=URL" or "NAME"
  std::filesystem::path config;      ///< docker's config.json with sign-ins; empty: nobody
  std::string ttl = "5m";
};

void declare(CLI::App& app, CLI::Option& listen, ProxyOptions& options);

struct NamedProxy {
  std::string name;
  std::vector<std::string> addresses;  ///< mirrors of each other
};
/// Names in the order they came, each once. Error invalid.
std::vector<NamedProxy> parse_proxies(const std::vector<std::string>& proxies);
/// By the client of registries. Error invalid; `listen` is where the registry inside is, which is no mirror of itself.
std::vector<distribution::Proxy> make_proxies(const ProxyOptions& options, const std::string& listen);
distribution::MirrorOptions mirror_options(const ProxyOptions& options);

}  // namespace gantry::daemon
