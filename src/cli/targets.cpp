#include "targets.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "api.h"
#include "format.h"
#include "text.h"

namespace gantry::cli {
namespace {

using engine::ContainerInfo;

bool by_replica(const ContainerInfo& a, const ContainerInfo& b) {
  auto key = [](const ContainerInfo& container) {
    auto replica = label_of(container, engine::kReplicaLabel);
    return std::tuple(label_of(container, engine::kServiceLabel), replica.size(), replica, container.spec.name);
  };
  return key(a) < key(b);
}

std::vector<ContainerInfo> keep(const std::vector<ContainerInfo>& all, auto wanted) {
  std::vector<ContainerInfo> out;
  std::ranges::copy_if(all, std::back_inserter(out), wanted);
  std::ranges::sort(out, by_replica);
  return out;
}

void require_one_stack(const std::vector<ContainerInfo>& found, const std::string& word) {
  std::set<std::string> stacks;
  for (const auto& container : found) stacks.insert(label_of(container, engine::kStackLabel));
  if (stacks.size() < 2) return;
  std::vector<std::string> names;
  for (const auto& stack : stacks) names.push_back(stack + "/" + word);
  throw Error(ErrorKind::conflict, fmt::format("several stacks have a service '{}'", word),
              "write " + join(names, " or "));
}

/// nullopt instead of not_found.
task<std::optional<ContainerInfo>> inspect(const http::Client& client, std::string word) {
  try {
    co_return co_await api::fetch<ContainerInfo>(client, api::path("containers", word));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
  }
  co_return std::nullopt;
}

}  // namespace

std::vector<ContainerInfo> match_service(const std::vector<ContainerInfo>& all, const std::string& word, bool stacks) {
  auto [stack, service, qualified] = cut(word, '/');
  if (qualified)
    return keep(all, [&](const auto& container) {
      return label_of(container, engine::kStackLabel) == stack && label_of(container, engine::kServiceLabel) == service;
    });
  auto found = keep(all, [&](const auto& container) { return label_of(container, engine::kServiceLabel) == word; });
  require_one_stack(found, word);
  if (found.empty() && stacks)
    found = keep(all, [&](const auto& container) { return label_of(container, engine::kStackLabel) == word; });
  return found;
}

task<std::vector<ContainerInfo>> find_containers(const Context& context, std::string word, bool stacks) {
  std::vector<ContainerInfo> found;
  if (word.find('/') == std::string::npos) {
    auto exact = co_await inspect(context.client, word);
    if (exact) found.push_back(std::move(*exact));
    if (!found.empty()) co_return found;
  }
  http::Query query;
  query.add("all", "1");
  auto all = co_await api::fetch<std::vector<ContainerInfo>>(context.client, "/v1/containers", query);
  found = match_service(all, word, stacks);
  if (!found.empty()) co_return found;
  std::vector<std::string> names;
  for (const auto& container : all) names.push_back(container.spec.name);
  auto near = nearest(word, names);
  throw Error(ErrorKind::not_found, fmt::format("no container or service '{}'", word),
              near.empty() ? "'gantry ps -a' lists what there is" : "did you mean '" + near + "'?");
}

task<std::string> find_container(const Context& context, std::string word) {
  auto found = co_await find_containers(context, word);
  for (const auto& container : found)
    if (container.state == engine::State::running || container.state == engine::State::paused)
      co_return container.id.str();
  co_return found.front().id.str();
}

}  // namespace gantry::cli
