#include "replies.h"

namespace gantry::api::registry_front {
namespace {

struct Found {
  std::optional<distribution::Place> place;  ///< at another registry, which has to be asked
  distribution::Served served;
};

task<distribution::Served> find(Context& context, std::string name, std::string registry, std::string reference) {
  auto look = [&context, name, registry, reference] {
    auto place = context.mirror.find(name, registry);
    if (!place) return Found{std::nullopt, {context.distribution.manifest(name, reference), {}}};
    auto here = context.mirror.stored_manifest(*place, reference);
    return here ? Found{std::nullopt, std::move(*here)} : Found{place, {}};
  };
  auto found = co_await context.pool.run(std::move(look));
  if (!found.place) co_return std::move(found.served);
  auto ask = [&context, place = *found.place, reference] { return context.mirror.manifest(place, reference); };
  auto served = co_await apart(context, std::move(ask));
  co_return served;
}

// The form that the distribution specification 1.1 gives warnings; clients show them to people.
std::string warning_field(std::string text) {
  std::erase_if(text, [](unsigned char c) { return c < 0x20 || c >= 0x7f || c == '"' || c == '\\'; });
  constexpr std::size_t kLongest = 500;
  return "299 - \"" + text.substr(0, kLongest) + "\"";
}

task<> get_manifest(Context& context, Call call) {
  auto [manifest, warning] =
      co_await find(context, call.parameter("name"), registry_meant(call), call.parameter("reference"));
  if (!warning.empty()) call.exchange.set_header("Warning", warning_field(warning));
  call.exchange.set_header("Docker-Content-Digest", manifest.digest.str());
  call.exchange.set_header("ETag", "\"" + manifest.digest.str() + "\"");
  co_await call.exchange.respond(200, manifest.media_type, std::move(manifest.text));
}

task<> put_manifest(Context& context, Call call) {
  auto name = call.parameter("name");
  auto type = call.exchange.request().headers.get("Content-Type");
  auto text = co_await call.exchange.read_body(distribution::kManifestLimit);
  auto work = [&context, name, type, reference = call.parameter("reference"), text = std::move(text)] {
    context.mirror.refuse_push(name);
    return context.distribution.put_manifest(name, reference, type, text);
  };
  auto stored = co_await context.pool.run(std::move(work));
  call.exchange.set_header("Location", "/v2/" + name + "/manifests/" + stored.digest.str());
  call.exchange.set_header("Docker-Content-Digest", stored.digest.str());
  if (stored.subject) call.exchange.set_header("OCI-Subject", *stored.subject);
  co_await call.exchange.respond(201, "", "");
}

task<> delete_manifest(Context& context, Call call) {
  auto work = [&context, name = call.parameter("name"), reference = call.parameter("reference")] {
    context.distribution.delete_manifest(name, reference);
  };
  co_await context.pool.run(std::move(work));
  co_await call.exchange.respond(202, "", "");
}

}  // namespace

std::vector<Route> manifest_routes(Context& context) {
  const std::string path = "/v2/{name...}/manifests/{reference}";
  return {{"GET", path, "distribution.pull", Effect::reads, {}, with(context, get_manifest)},
          {"HEAD", path, "distribution.pull", Effect::reads, {}, with(context, get_manifest)},
          {"PUT", path, "distribution.push", Effect::changes, {}, with(context, put_manifest)},
          {"DELETE", path, "distribution.delete", Effect::changes, {}, with(context, delete_manifest)}};
}

}  // namespace gantry::api::registry_front
