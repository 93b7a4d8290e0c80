#include <fcntl.h>

#include "../body_pipe.h"
#include "../body_source.h"
#include "../image_users.h"
#include "../progress.h"
#include "gantry/base/files.h"
#include "gantry/base/log.h"
#include "gantry/image/difference.h"
#include "gantry/image/tree_archive.h"
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
  auto users = image_users(services.engine());
  auto erase = [&images, reference, force, users] { return images.remove(reference, force, users); };
  auto removed = co_await services.pool().run(erase);
  for (const auto& name : removed.untagged) publish(services, "image", "untag", name, name);
  for (const auto& id : removed.deleted) publish(services, "image", "delete", id, reference);
  co_return Removed{std::move(removed.untagged), std::move(removed.deleted)};
}

namespace {

struct PrunedImages {
  std::vector<std::string> untagged;
  std::vector<std::string> deleted;
  std::uint64_t bytes = 0;
};
BOOST_DESCRIBE_STRUCT(PrunedImages, (), (untagged, deleted, bytes))

struct BootstrapBody {
  std::string name;
  std::vector<std::string> packages;
};
BOOST_DESCRIBE_STRUCT(BootstrapBody, (), (name, packages))

struct RemovedLater {
  std::filesystem::path path;
  ~RemovedLater() {
    try {
      remove_tree(path);
    } catch (const Error& error) {
      log::warn("{}: {}", path.string(), error.message());
    }
  }
};

bool has_reference(const image::ImageInfo& image, const std::vector<std::string>& wanted) {
  return wanted.empty() || std::ranges::any_of(image.references, [&](const auto& one) { return named(wanted, one); });
}

task<> list_images(Services& services, Call call) {
  auto& images = services.engine().images();
  auto wanted = call.query().all("reference");
  for (auto& reference : wanted) reference = oci::Reference::parse(reference).familiar();
  auto read = [&images] { return images.list(); };
  auto all = co_await services.pool().run(read);
  std::erase_if(all, [&](const auto& image) { return !has_reference(image, wanted); });
  co_await answer(call.exchange, 200, std::move(all));
}

task<> inspect_image(Services& services, Call call) {
  auto& images = services.engine().images();
  auto reference = call.parameter("reference");
  auto& builder = services.parts.builder;
  auto read = [&images, &builder, reference] {
    auto info = images.resolve(reference);
    auto build = builder.provenance(info.id);
    auto out = json::to(info);
    if (build) out.as_object()["build"] = json::to(*build);
    return out;
  };
  auto out = co_await services.pool().run(read);
  co_await call.exchange.respond(200, std::string(http::kJson), boost::json::serialize(out) + "\n");
}

task<> files(Services& services, Call call) {
  auto& builder = services.parts.builder;
  auto reference = call.parameter("reference");
  auto write = [&builder, reference](const ByteSink& sink) {
    RemovedLater unpacked{builder.unpack_image(reference)};
    Fd root = open_file((unpacked.path / "root").string(), O_RDONLY | O_DIRECTORY);
    image::TreeArchive archive(std::move(root), "/", {});
    for (auto piece = archive.next(); !piece.empty(); piece = archive.next()) sink(piece);
  };
  co_await stream_out(call.exchange, services.transfers(), "application/x-tar", write);
}

task<> delete_image(Services& services, Call call) {
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
  auto info = co_await with_body(call.exchange, services.transfers(), unpack);
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

task<> history(Services& services, Call call) {
  auto& images = services.engine().images();
  auto reference = call.parameter("reference");
  auto read = [&images, reference] { return images.history(reference); };
  auto items = co_await services.pool().run(read);
  co_await answer(call.exchange, 200, std::move(items));
}

task<> difference(Services& services, Call call) {
  auto& images = services.engine().images();
  auto before = call.parameter("reference");
  auto after = required(call.query(), "other");
  auto compare = [&images, before, after] { return image::compare_images(images, before, after); };
  auto found = co_await services.pool().run(compare);
  co_await answer(call.exchange, 200, std::move(found));
}

task<> save(Services& services, Call call) {
  auto& images = services.engine().images();
  auto references = call.query().all("reference");
  if (references.empty()) required(call.query(), "reference");
  auto write = [&images, references](const ByteSink& sink) { images.save(references, sink); };
  co_await stream_out(call.exchange, services.transfers(), "application/x-tar", write);
}

struct LoadedImage {
  std::string id;
  std::vector<std::string> names;
  std::vector<std::string> replaced;
};
BOOST_DESCRIBE_STRUCT(LoadedImage, (), (id, names, replaced))

task<> load(Services& services, Call call) {
  auto& images = services.engine().images();
  auto unpack = [&images](int fd) { return images.load(fd, {}); };
  auto loaded = co_await with_body(call.exchange, services.transfers(), unpack);
  std::vector<LoadedImage> out;
  for (auto& one : loaded) {
    publish(services, "image", "load", one.image.id, one.names.empty() ? one.image.id : one.names.front());
    out.push_back({one.image.id, std::move(one.names), std::move(one.replaced)});
  }
  co_await answer(call.exchange, 201, std::move(out));
}

task<PrunedImages> prune_images_work(Services& services, bool all, std::optional<Timestamp> until) {
  auto& images = services.engine().images();
  auto users = image_users(services.engine());
  auto work = [&images, all, users, until] {
    return images.prune(all, users, [&](const image::ImageInfo& one) { return !until || one.created < *until; });
  };
  auto removed = co_await services.pool().run(work);
  for (const auto& id : removed.deleted) publish(services, "image", "delete", id, id);
  co_return PrunedImages{std::move(removed.untagged), std::move(removed.deleted), removed.bytes};
}

task<> prune_images(Services& services, Call call) {
  auto work = prune_images_work(services, flag(call.query(), "all"), timestamp(call.query(), "until"));
  auto pruned = co_await shield<PrunedImages>(services.changes, "prune images", std::move(work));
  co_await answer(call.exchange, 200, std::move(pruned));
}

task<json::bj::value> verify_work(Services& services, registry::VerifyRequest request, TellStep tell) {
  image::ProgressSink sink = [tell](const image::Progress& progress) { tell(json::to(progress)); };
  auto report = co_await services.parts.registry.verify(std::move(request), std::move(sink));
  for (const auto& damage : report.damages)
    publish(services, "image", damage.repaired ? "repair" : "damaged", damage.digest,
            damage.images.empty() ? damage.digest : damage.images.front());
  auto& images = services.engine().images();
  auto mounted = services.engine().layers_in_use(true);
  auto drop = [&images, mounted] { images.drop_replaced(mounted); };
  co_await services.pool().run(drop);
  co_return json::to(report);
}

task<> verify(Services& services, Call call) {
  registry::VerifyRequest request;
  request.images = call.query().all("image");
  request.repair = flag(call.query(), "repair");
  const auto* logins = call.exchange.request().headers.find("X-Registry-Config");
  if (logins != nullptr) request.logins = registry::parse_logins(*logins);
  auto* all = &services;
  auto work = [all, request](TellStep tell) { return verify_work(*all, request, std::move(tell)); };
  co_await stream_progress(call.exchange, work);
}

}  // namespace

std::vector<Route> image_routes(Services& s) {
  constexpr auto kReads = Effect::reads;
  constexpr auto kChanges = Effect::changes;
  return {
      {"GET", "/v1/images", "image.list", kReads, {"reference"}, with(s, list_images)},
      {"GET", "/v1/images/{reference}", "image.read", kReads, {}, with(s, inspect_image)},
      {"DELETE", "/v1/images/{reference}", "image.remove", kChanges, {"force"}, with(s, delete_image)},
      {"POST", "/v1/images/{reference}/tag", "image.tag", kChanges, {"target"}, with(s, tag)},
      {"GET", "/v1/images/{reference}/files", "image.read", kReads, {}, with(s, files)},
      {"GET", "/v1/images/{reference}/history", "image.read", kReads, {}, with(s, history)},
      {"GET", "/v1/images/{reference}/diff", "image.read", kReads, {"other"}, with(s, difference)},
      {"POST", "/v1/images/save", "image.save", kReads, {"reference"}, with(s, save)},
      {"POST", "/v1/images/load", "image.load", kChanges, {}, with(s, load)},
      {"POST", "/v1/images/prune", "image.remove", kChanges, {"all", "until"}, with(s, prune_images)},
      {"POST", "/v1/images/verify", "image.verify", kChanges, {"image", "repair"}, with(s, verify)},
      {"POST", "/v1/images/import", "image.import", kChanges, {"reference"}, with(s, import)},
      {"POST", "/v1/images/bootstrap", "image.bootstrap", kChanges, {}, with(s, bootstrap)},
  };
}

}  // namespace gantry::api::v1
