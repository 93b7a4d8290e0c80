#include "proxy_names.h"

namespace gantry::distribution {
namespace {

constexpr char kHub[] = "docker.io";
constexpr char kOfficial[] = "library/";  // where the Docker Hub has what is asked for without a user's name

Place make_place(const std::vector<Proxy>& proxies, std::size_t proxy, std::string remote) {
  const auto& [name, host, address, upstream] = proxies[proxy];
  if (host == kHub && remote.find('/') == std::string::npos) remote = kOfficial + remote;
  auto here = name == kEverything ? remote : name + "/" + remote;
  return {std::move(here), std::move(remote), proxy};
}

}  // namespace

std::optional<Place> place_of(const std::vector<Proxy>& proxies, const std::string& repository,
                              const std::string& registry) {
  std::optional<std::size_t> best, named, everything;
  for (std::size_t i = 0; i < proxies.size(); ++i) {
    const auto& name = proxies[i].name;
    if (name == kEverything) {
      everything = i;
      continue;
    }
    bool below = repository.size() > name.size() + 1 && repository.starts_with(name + "/");
    if (below && (!best || proxies[*best].name.size() < name.size())) best = i;
    if (name == registry) named = i;
  }
  if (best) return make_place(proxies, *best, repository.substr(proxies[*best].name.size() + 1));
  if (named) return make_place(proxies, *named, repository);
  bool meant = everything && (registry.empty() || registry == proxies[*everything].host);
  return meant ? std::optional(make_place(proxies, *everything, repository)) : std::nullopt;
}

}  // namespace gantry::distribution
