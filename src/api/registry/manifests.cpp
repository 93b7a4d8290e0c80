#include "replies.h"

namespace gantry::api::registry_front {
namespace {

task<distribution::Manifest> find(Context& context, std::string name, std::string reference) {
  auto work = [&context, name, reference] { return context.distribution.manifest(name, reference); };
  co_return co_await context.pool.run(std::move(work));
}

task<> get_manifest(Context& context, Call call) {
  auto manifest = co_await find(context, call.parameter("name"), call.parameter("reference"));
  call.exchange.set_header("Docker-Content-Digest", manifest.digest.str());
  call.exchange.set_header("ETag", "\"" + manifest.digest.str() + "\"");
  co_await call.exchange.respond(200, manifest.media_type, std::move(manifest.text));
}

task<> put_manifest(Context& context, Call call) {
  auto name = call.parameter("name");
  auto type = call.exchange.request().headers.get("Content-Type");
  auto text = co_await call.exchange.read_body(distribution::kManifestLimit);
  auto work = [&context, name, type, reference = call.parameter("reference"), text = std::move(text)] {
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
