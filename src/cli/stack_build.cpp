#include "stack_build.h"

#include <set>

#include "build_cache.h"
#include "pull.h"

namespace gantry::cli {
namespace {

task<bool> wants_build(const http::Client& client, const compose::Service& service, BuildMode mode) {
  if (mode == BuildMode::always) co_return true;
  bool there = co_await image_exists(client, service.image);
  if (mode == BuildMode::missing) co_return !there || service.pull_policy == compose::PullPolicy::build;
  if (!there)
    throw Error(ErrorKind::not_found, "image " + service.image + " of service " + service.name + " is not there",
                "leave out --no-build");
  co_return false;
}

task<> build_service(Context& context, compose::Build build, BuildOptions options, Progress& progress,
                     std::string name) {
  auto grants = build_grants(context, build);
  std::vector<std::string> unneeded;
  for (const auto& text : build.cache_from) {
    auto cache = parse_build_cache(text, "cache_from");
    unneeded.push_back(co_await use_cache(context, cache, &options));
  }
  std::optional<BuildCache> to;
  if (!build.cache_to.empty()) to = parse_build_cache(build.cache_to.front(), "cache_to");
  if (to && to->kind == BuildCache::Kind::inline_) options.cache_inline = true;
  if (to && to->kind != BuildCache::Kind::inline_) options.cache_to = cache_name(*to);
  auto left = options.cache_to;
  options.source = git_facts(build.context);
  BuildContext from;
  from.directory = build.context;
  co_await run_build(context, std::move(from), std::move(options), std::move(grants), progress, std::move(name));
  if (!left.empty()) co_await keep_cache(context, *to, left, progress);
  if (!left.empty() && to->kind == BuildCache::Kind::local) unneeded.push_back(left);
  for (const auto& image : unneeded)
    if (!image.empty()) co_await drop_image(context, image);
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
  options.pull = build.pull;
  options.no_cache_filter = build.no_cache_filter;
  options.network = build.network.value_or("");
  options.limits.shm_size = build.shm_size;
  if (!build.platforms.empty()) options.platform = build.platforms.front();
  options.dockerfile_text = build.dockerfile_inline;
  return options;
}

BuildGrants build_grants(const Context& context, const compose::Build& build) {
  BuildGrants grants;
  for (const auto& [id, file] : build.secrets)
    add_secret(grants, "id=" + id + ",src=" + file, context.environment, context.directory);
  for (const auto& text : build.ssh) add_agent(grants, text, context.environment, context.directory);
  return grants;
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
      co_await build_service(context, *service.build, std::move(options), progress, name);
    } catch (Error& error) {
      throw error.within("building " + name);
    }
    built.insert(service.image);
  }
}

}  // namespace gantry::cli
