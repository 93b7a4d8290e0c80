#include <algorithm>

#include "../image_users.h"
#include "describe.h"
#include "image_lookup.h"
#include "image_words.h"

/// Images as they are here: lists, names, removal.
namespace gantry::api::docker {
namespace {

namespace bj = boost::json;
using image::ImageInfo;

struct Listing {
  std::vector<ImageInfo> images;
  std::vector<image::LayerUse> layers;
};

/// What `docker images` can ask for.
class ImageSelection {
 public:
  ImageSelection(const http::Query& query, int minor)
      : filters_(query, {"dangling", "label", "label!", "before", "since", "until", "reference"}),
        dangling_(filters_.flag("dangling")),
        until_(filters_.time("until")) {
    // Before there were filters: `docker images PATTERN`, up to 1.40.
    if (minor <= 40) old_pattern_ = query.get("filter");
  }

  const std::vector<std::string>& before() const { return filters_.all("before"); }
  const std::vector<std::string>& since() const { return filters_.all("since"); }
  void set_before(Timestamp time) { before_ = time; }
  void set_since(Timestamp time) { since_ = time; }

  /// False when the image is not meant; otherwise leaves it the names that are.
  bool keep(ImageInfo& image) const {
    if (dangling_ && *dangling_ != image.references.empty()) return false;
    if (before_ && image.created >= *before_) return false;
    if (since_ && image.created <= *since_) return false;
    if (until_ && image.created >= *until_) return false;
    return filters_.match_labels(image.config.config.Labels) && keep_names(image);
  }

 private:
  bool keep_names(ImageInfo& image) const {
    auto patterns = filters_.all("reference");
    if (!old_pattern_.empty()) patterns.push_back(old_pattern_);
    if (patterns.empty()) return true;
    auto other = [&](const std::string& name) {
      return std::ranges::none_of(patterns, [&](const auto& pattern) { return reference_matches(pattern, name); });
    };
    std::erase_if(image.references, other);
    std::erase_if(image.digests, other);
    return !image.references.empty() || !image.digests.empty();
  }

  Filters filters_;
  std::optional<bool> dangling_;
  std::optional<Timestamp> until_, before_, since_;
  std::string old_pattern_;
};

task<Listing> read_all(Services& services) {
  auto& images = services.engine().images();
  auto read = [&images] { return Listing{images.list(), images.layers()}; };
  auto listing = co_await services.pool().run(read);
  auto newer = [](const ImageInfo& a, const ImageInfo& b) { return a.created > b.created; };
  std::ranges::stable_sort(listing.images, newer);
  co_return listing;
}

task<> list_images(Services& services, Call call) {
  ImageSelection selection(call.query(), minor_of(call));
  for (const auto& reference : selection.before()) {
    auto image = co_await find_image(services, reference);
    selection.set_before(image.created);
  }
  for (const auto& reference : selection.since()) {
    auto image = co_await find_image(services, reference);
    selection.set_since(image.created);
  }
  auto listing = co_await read_all(services);
  LayerSizes sizes(listing.layers);
  // Counted since 1.51.
  std::map<std::string, std::int64_t> users;
  if (minor_of(call) >= 51)
    for (const auto& user : image_users(services.engine())) ++users[user.image];
  auto containers = [&](const ImageInfo& image) { return minor_of(call) >= 51 ? users[image.id] : -1; };
  bool with_shared = docker_flag(call.query(), "shared-size");
  bj::array out;
  for (auto& image : listing.images) {
    if (!selection.keep(image)) continue;
    auto shared = with_shared ? static_cast<std::int64_t>(sizes.shared(image)) : -1;
    out.push_back(list_image(image, shared, containers(image), minor_of(call)));
  }
  co_await answer_json(call.exchange, 200, std::move(out));
}

task<> show_image(Services& services, Call call) {
  auto info = co_await find_image(services, call.parameter("name"));
  co_await answer_json(call.exchange, 200, inspect_image(info, minor_of(call)));
}

task<> history(Services& services, Call call) {
  auto& images = services.engine().images();
  auto reference = call.parameter("name");
  auto info = co_await find_image(services, reference);
  auto read = [&images, id = info.id] { return images.history(id); };
  auto items = co_await with_image(services, reference, read);
  co_await answer_json(call.exchange, 200, image_history(info, items));
}

task<> tag(Services& services, Call call) {
  auto& images = services.engine().images();
  auto source = call.parameter("name");
  auto target = call.query().get("repo");
  auto label = call.query().get("tag");
  if (target == "sha256")
    throw Error(ErrorKind::invalid, "refusing to create an ambiguous tag using digest algorithm as name");
  if (!label.empty()) target += ":" + label;
  auto reference = parse_reference(target);
  if (!reference.digest.empty()) throw Error(ErrorKind::invalid, "refusing to create a tag with a digest reference");
  auto info = co_await find_image(services, source);
  auto name = reference.familiar();
  auto work = [&images, id = info.id, name] { images.tag(id, name); };
  co_await with_image(services, source, work);
  publish(services, "image", "tag", info.id, name);
  co_await call.exchange.respond(201, "", "");
}

void publish_removed(Services& services, const std::string& id, const image::ImageStore::Removed& removed) {
  for (const auto& name : removed.untagged) publish(services, "image", "untag", id, name);
  for (const auto& gone : removed.deleted)
    if (gone == id) publish(services, "image", "delete", id, id);
}

task<image::ImageStore::Removed> remove_image_work(Services& services, std::string reference, bool force) {
  auto& images = services.engine().images();
  auto info = co_await find_image(services, reference);
  auto users = image_users(services.engine());
  auto work = [&images, reference, force, users] { return images.remove(reference, force, users); };
  auto removed = co_await with_image(services, reference, work);
  publish_removed(services, info.id, removed);
  co_return removed;
}

task<> remove_image(Services& services, Call call) {
  auto work = remove_image_work(services, call.parameter("name"), docker_flag(call.query(), "force"));
  auto removed = co_await shield<image::ImageStore::Removed>(services.changes, "remove an image", std::move(work));
  co_await answer_json(call.exchange, 200, removed_rows(removed));
}

task<image::ImageStore::Removed> prune_images_work(Services& services, http::Query query) {
  auto filters =
      std::make_shared<Filters>(query, std::vector<std::string_view>{"dangling", "label", "label!", "until"});
  bool all = !filters->flag("dangling").value_or(true);
  auto until = filters->time("until");
  auto& images = services.engine().images();
  auto users = image_users(services.engine());
  auto work = [&images, all, users, filters, until] {
    return images.prune(all, users, [&](const ImageInfo& image) {
      return (!until || image.created < *until) && filters->match_labels(image.config.config.Labels);
    });
  };
  auto removed = co_await services.pool().run(work);
  publish_prune(services, "image", removed.bytes);
  co_return removed;
}

task<> prune_images(Services& services, Call call) {
  auto work = prune_images_work(services, call.query());
  auto removed = co_await shield<image::ImageStore::Removed>(services.changes, "prune images", std::move(work));
  bj::object out;
  auto rows = removed_rows(removed);
  out["ImagesDeleted"] = rows.empty() ? bj::value(nullptr) : bj::value(std::move(rows));
  out["SpaceReclaimed"] = removed.bytes;
  co_await answer_json(call.exchange, 200, std::move(out));
}

}  // namespace

std::vector<Route> image_routes(Services& s) {
  constexpr auto kReads = Effect::reads;
  constexpr auto kChanges = Effect::changes;
  return {
      {"GET", "/images/json", "image.list", kReads, {}, with(s, list_images)},
      {"GET", "/images/{name...}/json", "image.read", kReads, {}, with(s, show_image)},
      {"GET", "/images/{name...}/history", "image.read", kReads, {}, with(s, history)},
      {"POST", "/images/{name...}/tag", "image.tag", kChanges, {}, with(s, tag)},
      {"POST", "/images/prune", "image.remove", kChanges, {}, with(s, prune_images)},
      {"DELETE", "/images/{name...}", "image.remove", kChanges, {}, with(s, remove_image)},
  };
}

}  // namespace gantry::api::docker
