#include "bodies.h"
#include "image_lookup.h"

/// POST /commit: a container becomes an image.
namespace gantry::api::docker {
namespace {

namespace bj = boost::json;

task<> commit(Services& services, Call call) {
  const auto& query = call.query();
  auto id = find_container(services, query.get("container"));
  engine::CommitOptions options;
  options.reference = query.get("repo");
  if (auto tag = query.get("tag"); !tag.empty() && !options.reference.empty()) options.reference += ":" + tag;
  if (!options.reference.empty()) options.reference = parse_reference(options.reference).familiar();
  options.author = query.get("author");
  options.comment = query.get("comment");
  options.changes = query.all("changes");
  options.pause = docker_flag(query, "pause", true);
  auto body = co_await optional_body(call.exchange);
  options.config = run_config(Body(body));
  auto work = services.engine().commit(id, options);
  auto info = co_await shield<image::ImageInfo>(services.changes, "commit a container", std::move(work));
  if (!options.reference.empty()) publish(services, "image", "tag", info.id, options.reference);
  bj::object out;
  out["Id"] = info.id;
  co_await answer_json(call.exchange, 201, std::move(out));
}

}  // namespace

// Nothing in the body: the image gets what the container runs with.
std::optional<oci::RunConfig> run_config(const Body& body) {
  if (body.raw().empty()) return std::nullopt;
  oci::RunConfig out;
  out.User = body.text("User");
  for (auto& port : body.keys("ExposedPorts")) out.ExposedPorts[port];
  out.Env = body.strings("Env");
  out.Entrypoint = body.words("Entrypoint");
  out.Cmd = body.words("Cmd");
  for (auto& path : body.keys("Volumes")) out.Volumes[path];
  out.WorkingDir = body.text("WorkingDir");
  out.Labels = body.map("Labels");
  if (auto signal = body.text("StopSignal"); !signal.empty()) out.StopSignal = signal;
  if (const auto* health = body.find("Healthcheck")) out.Healthcheck = json::from<oci::HealthConfig>(*health);
  if (body.has("Shell")) out.Shell = body.strings("Shell");
  out.OnBuild = body.strings("OnBuild");
  return out;
}

std::vector<Route> commit_routes(Services& s) {
  return {{"POST", "/commit", "image.commit", Effect::changes, {}, with(s, commit)}};
}

}  // namespace gantry::api::docker
