#include "../body_pipe.h"
#include "../progress.h"
#include "images_in_use.h"
#include "routes.h"

namespace gantry::api::v1 {

BOOST_DESCRIBE_STRUCT(Removed, (), (untagged, deleted))

std::vector<std::string> images_in_use(Services& services) {
  std::vector<std::string> ids;
  for (const auto& container : services.engine().list(engine::ContainerFilter())) ids.push_back(container.image_id);
  return ids;
}

task<Removed> remove_image(Services& services, std::string reference, bool force) {
  auto& images = services.engine().images();
  auto used = images_in_use(services);
  auto erase = [&images, reference, force, used] { return images.remove(reference, force, used); };
  auto removed = co_await services.pool().run(erase);
  for (const auto& name : removed.untagged) publish(services, "image", "untag", name, name);
  for (const auto& id : removed.deleted) publish(services, "image", "delete", id, reference);
  co_return Removed{std::move(removed.untagged), std::move(removed.deleted)};
}

namespace {

struct BootstrapBody {
  std::string name;
  std::vector<std::string> packages;
};
BOOST_DESCRIBE_STRUCT(BootstrapBody, (), (name, packages))

bool has_reference(const image::ImageInfo& image, const std::vector<std::string>& wanted) {
  return wanted.empty() || std::ranges::any_of(image.references, [&](const auto& one) { return named(wanted, one); });
}

task<> list(Services& services, Call call) {
  auto& images = services.engine().images();
  auto wanted = call.query().all("reference");
  for (auto& reference : wanted) reference = oci::Reference::parse(reference).familiar();
  auto read = [&images] { return images.list(); };
  auto all = co_await services.pool().run(read);
  std::erase_if(all, [&](const auto& image) { return !has_reference(image, wanted); });
  co_await answer(call.exchange, 200, std::move(all));
}

task<> inspect(Services& services, Call call) {
  auto& images = services.engine().images();
  auto reference = call.parameter("reference");
  auto read = [&images, reference] { return images.resolve(reference); };
  auto info = co_await services.pool().run(read);
  co_await answer(call.exchange, 200, std::move(info));
}

task<> remove(Services& services, Call call) {
  auto work = remove_image(services, call.parameter("reference"), flag(call.query(), "force"));
  auto removed = co_await shield<Removed>(services.changes, "remove an image", std::move(work));
  co_await answer(call.exchange, 200, std::move(removed));
}

task<> tag(Services& services, Call call) {
  auto& images = services.engine().images();
  auto source = call.parameter("reference");
  auto target = required(call.query(), "target");
  auto name = [&images, source, target] { images.tag(source, target); };
  co_await services.pool().run(name);
  publish(services, "image", "tag", source, target);
  co_await answer_nothing(call.exchange);
}

task<> import(Services& services, Call call) {
  auto& images = services.engine().images();
  auto reference = required(call.query(), "reference");
  oci::Reference::parse(reference);  // before the body is on its way
  *call.audited_object = reference;
  auto unpack = [&images, reference](int fd) {
    return images.import(fd, reference, oci::ImageConfig(), [](const image::Progress&) {});
  };
  auto info = co_await with_body(call.exchange, services.pool(), unpack);
  publish(services, "image", "import", info.id, reference);
  co_await answer(call.exchange, 201, std::move(info));
}

task<json::bj::value> bootstrap_work(Services& services, BootstrapBody body, TellStep tell) {
  auto& images = services.engine().images();
  auto scratch = services.parts.scratch_dir;
  auto make = [&images, body, scratch, tell] {
    auto sink = [&tell](const image::Progress& progress) { tell(json::to(progress)); };
    return image::bootstrap(images, body.name, body.packages, scratch, sink);
  };
  auto info = co_await services.pool().run(make);
  publish(services, "image", "bootstrap", info.id, body.name);
  co_return json::to(info);
}

task<> bootstrap(Services& services, Call call) {
  auto body = co_await body_as<BootstrapBody>(call.exchange);
  *call.audited_object = body.name;
  auto* all = &services;
  auto work = [all, body](TellStep tell) {
    return shield<json::bj::value>(all->changes, "bootstrap an image", bootstrap_work(*all, body, std::move(tell)));
  };
  co_await stream_progress(call.exchange, work);
}

}  // namespace

std::vector<Route> image_routes(Services& s) {
  constexpr auto kReads = Effect::reads;
  constexpr auto kChanges = Effect::changes;
  return {
      {"GET", "/v1/images", "image.list", kReads, {"reference"}, with(s, list)},
      {"GET", "/v1/images/{reference}", "image.read", kReads, {}, with(s, inspect)},
      {"DELETE", "/v1/images/{reference}", "image.remove", kChanges, {"force"}, with(s, remove)},
      {"POST", "/v1/images/{reference}/tag", "image.tag", kChanges, {"target"}, with(s, tag)},
      {"POST", "/v1/images/import", "image.import", kChanges, {"reference"}, with(s, import)},
      {"POST", "/v1/images/bootstrap", "image.bootstrap", kChanges, {}, with(s, bootstrap)},
  };
}

}  // namespace gantry::api::v1
