#include "stack_build.h"

#include <set>

#include "api.h"

namespace gantry::cli {
namespace {

task<bool> image_exists(const http::Client& client, std::string reference) {
  try {
    co_await api::get(client, api::path("images", reference));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
    co_return false;
  }
  co_return true;
}

task<bool> wants_build(const http::Client& client, const compose::Service& service, BuildMode mode) {
  if (mode == BuildMode::always) co_return true;
  bool there = co_await image_exists(client, service.image);
  if (mode == BuildMode::missing) co_return !there || service.pull_policy == compose::PullPolicy::build;
  if (!there)
    throw Error(ErrorKind::not_found, "image " + service.image + " of service " + service.name + " is not there",
                "leave out --no-build");
  co_return false;
}

}  // namespace

BuildOptions build_options(const compose::Service& service) {
  const auto& build = *service.build;
  BuildOptions options;
  options.tags.push_back(service.image);
  options.tags.insert(options.tags.end(), build.tags.begin(), build.tags.end());
  options.target = build.target.value_or("");
  options.arguments = build.args;
  options.labels = build.labels;
  options.no_cache = build.no_cache;
  options.dockerfile_text = build.dockerfile_inline;
  return options;
}

task<> build_images(Context& context, compose::Stack stack, BuildMode mode, Progress& progress) {
  std::set<std::string> built;
  for (const auto& [name, service] : stack.services) {
    // Services may share an image; it is built once.
    if (!service.build || built.contains(service.image)) continue;
    bool wanted = co_await wants_build(context.client, service, mode);
    if (!wanted) continue;
    auto options = build_options(service);
    try {
      if (!options.dockerfile_text) locate_dockerfile(options, service.build->context, service.build->dockerfile);
      co_await build_directory(context, service.build->context, std::move(options), progress, name);
    } catch (Error& error) {
      throw error.within("building " + name);
    }
    built.insert(service.image);
  }
}

}  // namespace gantry::cli
