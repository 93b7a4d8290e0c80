#include "gantry/distribution/mirror.h"

#include <algorithm>

#include "gantry/base/files.h"
#include "gantry/base/log.h"
#include "manifest.h"
#include "mirror_impl.h"
#include "names.h"
#include "proxy_names.h"

namespace gantry::distribution {
namespace {

// The upstream itself is at fault, or not there: what is here may serve in the meantime. That somebody has no access,
// or that there is no such thing, is an answer.
bool is_away(ErrorKind kind) {
  return kind == ErrorKind::unavailable || kind == ErrorKind::timeout || kind == ErrorKind::exhausted ||
         kind == ErrorKind::invalid;
}

[[noreturn]] void not_pushed(const std::string& repository, const std::string& address) {
  throw RegistryError(Code::UNSUPPORTED, ErrorKind::unsupported,
                      repository + " is a mirror of " + address + ": nothing is pushed to it",
                      "push to " + address + " itself, or under another name");
}

}  // namespace

RegistryError as_answer(const Error& error, Code unknown, const std::string& what) {
  auto message = what + ": " + error.message();
  switch (error.kind()) {
    case ErrorKind::not_found:
      return {unknown, ErrorKind::not_found, message};
    case ErrorKind::exhausted:
      return {Code::TOOMANYREQUESTS, ErrorKind::unavailable, message, error.fix()};
    case ErrorKind::unauthenticated:
    case ErrorKind::denied:
      // Ours, not the client's: it is not to be asked for a password.
      return {Code::DENIED, ErrorKind::denied, message,
              "start gantryd with --registry-proxy-config and a sign-in for it"};
    case ErrorKind::invalid:
      return {Code::UNKNOWN, ErrorKind::unavailable, message, error.fix()};
    default:
      return {Code::UNKNOWN, error.kind(), message, error.fix()};
  }
}

Mirror::Impl::Impl(Distribution::Impl& local_in, std::vector<Proxy> proxies_in, MirrorOptions options_in)
    : local(local_in), proxies(std::move(proxies_in)), options(options_in), directory(local.options.root / "arriving") {
  make_directories(directory, 0700);
}

Mirror::Mirror(Distribution& distribution, std::vector<Proxy> proxies, MirrorOptions options)
    : impl_(std::make_unique<Impl>(*distribution.impl_, std::move(proxies), options)) {}

Mirror::~Mirror() { stop(); }

void Mirror::recover() {
  for (const auto& entry : std::filesystem::directory_iterator(impl_->directory)) remove_tree(entry.path());
  impl_->local.database.transaction([&](store::Transaction& t) {
    for (const auto& [repository, proxy] : rows::mirrored_repositories(t)) {
      auto place = place_of(impl_->proxies, repository, "");
      if (place && impl_->proxy(*place).name == proxy) continue;
      log::info("registry: {} is forgotten, no --registry-proxy {} is given any more", repository, proxy);
      rows::forget_mirrored(t, repository);
    }
  });
}

void Mirror::stop() {
  {
    std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  for (const auto& proxy : impl_->proxies) proxy.upstream->stop();
  impl_->reap();
}

void Mirror::on_growth(std::function<void()> grown) { impl_->grown = std::move(grown); }

std::optional<Place> Mirror::find(const std::string& repository, const std::string& registry) {
  auto place = place_of(impl_->proxies, repository, registry);
  if (!place) return std::nullopt;
  require_repository(repository);
  require_repository(place->repository);
  bool own = impl_->local.database.transaction([&](store::Transaction& t) {
    return rows::is_own(t, place->repository) || (registry.empty() && rows::is_own(t, repository));
  });
  return own ? std::nullopt : place;
}

void Mirror::refuse_push(const std::string& repository) {
  if (auto place = find(repository)) not_pushed(repository, impl_->proxy(*place).address);
}

std::string Mirror::Impl::shown(const Place& place, const std::string& reference) const {
  return place.repository + (is_digest(reference) ? "@" : ":") + reference + " from " + proxy(place).address;
}

std::shared_ptr<std::mutex> Mirror::Impl::turn(const Place& place, const std::string& reference) {
  std::lock_guard lock(mutex);
  std::erase_if(turns, [](const auto& entry) { return entry.second.expired(); });
  auto& held = turns[place.repository + " " + reference];
  auto out = held.lock();
  if (!out) held = out = std::make_shared<std::mutex>();
  return out;
}

bool Mirror::Impl::is_down(const Place& place) {
  std::lock_guard lock(mutex);
  auto found = down_until.find(place.proxy);
  return found != down_until.end() && std::chrono::steady_clock::now() < found->second;
}

void Mirror::Impl::set_down(const Place& place, bool down) {
  std::lock_guard lock(mutex);
  if (down)
    down_until[place.proxy] = std::chrono::steady_clock::now() + options.down_pause;
  else
    down_until.erase(place.proxy);
}

std::optional<Manifest> Mirror::Impl::stored(const Place& place, const std::string& digest) {
  // Not waited for: what a crash loses of it makes the manifest look a little older.
  auto row = local.database.write([&](store::Transaction& t) {
    auto found = rows::manifest(t, place.repository, digest);
    if (found) rows::touch(t, place.repository, digest, seconds_now());
    return found;
  });
  if (!row) return std::nullopt;
  return Manifest{oci::Digest::parse(row->digest), row->media_type, row->text};
}

std::optional<Served> Mirror::stored_manifest(const Place& place, const std::string& reference) {
  auto digest = reference;
  if (is_digest(reference)) {
    require_digest(reference);
  } else {
    auto tag = impl_->local.database.transaction(
        [&](store::Transaction& t) { return rows::tag_state(t, place.repository, reference); });
    if (!tag || seconds_now() - tag->checked >= impl_->options.ttl.count()) return std::nullopt;
    digest = tag->digest;
  }
  auto manifest = impl_->stored(place, digest);
  if (!manifest) return std::nullopt;
  return Served{std::move(*manifest), {}};
}

Served Mirror::manifest(const Place& place, const std::string& reference) {
  if (!is_digest(reference) && !is_tag(reference))
    throw RegistryError(Code::MANIFEST_UNKNOWN, ErrorKind::not_found, "the tag has not the form of one");
  auto turn = impl_->turn(place, reference);
  std::lock_guard alone(*turn);
  // Somebody may just have fetched it.
  if (auto here = stored_manifest(place, reference)) return *here;
  return is_digest(reference) ? impl_->by_digest(place, reference) : impl_->by_tag(place, reference);
}

Served Mirror::Impl::by_digest(const Place& place, const std::string& digest) {
  try {
    auto got = proxy(place).upstream->manifest(place.remote, digest);
    set_down(place, false);
    return {keep(place, "", got), {}};
  } catch (const Error& error) {
    throw as_answer(error, Code::MANIFEST_UNKNOWN, shown(place, digest));
  }
}

Served Mirror::Impl::by_tag(const Place& place, const std::string& tag) {
  auto state =
      local.database.transaction([&](store::Transaction& t) { return rows::tag_state(t, place.repository, tag); });
  auto known = state ? stored(place, state->digest) : std::nullopt;
  auto stale = [&](const std::string& why) {
    auto age = about(std::chrono::seconds(seconds_now() - state->checked));
    auto warning = place.repository + ":" + tag + " is served as it was " + age + " ago: " + why;
    log::warn("registry: {}", warning);
    return Served{*known, warning};
  };
  if (known && is_down(place)) return stale(proxy(place).address + " did not answer a moment ago");
  try {
    auto manifest = ask_tag(place, tag, known.has_value());
    set_down(place, false);
    return {std::move(manifest), {}};
  } catch (const Error& error) {
    bool stops = error.kind() == ErrorKind::cancelled;
    if (known && !stops && is_away(error.kind())) {
      set_down(place, true);
      return stale(error.message());
    }
    if (state && error.kind() == ErrorKind::not_found)
      local.database.transaction([&](store::Transaction& t) { rows::delete_tag(t, place.repository, tag); });
    throw as_answer(error, Code::MANIFEST_UNKNOWN, shown(place, tag));
  }
}

// What is known is asked for by its digest alone, which costs registries and their rate limits nothing.
Manifest Mirror::Impl::ask_tag(const Place& place, const std::string& tag, bool known) {
  auto& upstream = *proxy(place).upstream;
  auto digest = known ? upstream.digest_of(place.remote, tag) : std::nullopt;
  if (digest) {
    if (auto here = stored(place, require_digest(*digest).str())) {
      local.database.transaction(
          [&](store::Transaction& t) { rows::confirm_tag(t, place.repository, tag, *digest, seconds_now()); });
      return *here;
    }
  }
  return keep(place, tag, upstream.manifest(place.remote, digest.value_or(tag)));
}

Manifest Mirror::Impl::keep(const Place& place, const std::string& tag, const Upstream::Document& document) {
  auto digest = oci::Digest::of(document.text);
  auto parsed = parse_manifest(document.text, document.media_type);
  local.database.transaction([&](store::Transaction& t) {
    if (rows::is_own(t, place.repository))
      throw RegistryError(Code::UNKNOWN, ErrorKind::conflict, place.repository + " has just become one of our own",
                          "ask again");
    auto current = seconds_now();
    rows::set_mirrored(t, place.repository, proxy(place).name);
    rows::insert_manifest(t, place.repository, digest.str(), parsed, document.text, current);
    rows::touch(t, place.repository, digest.str(), current);
    if (!tag.empty()) rows::confirm_tag(t, place.repository, tag, digest.str(), current);
  });
  return {digest, parsed.media_type, document.text};
}

Page Mirror::tags(const Place& place, std::size_t limit, const std::string& after) {
  std::vector<std::string> names;
  try {
    names = impl_->proxy(place).upstream->tags(place.remote);
  } catch (const Error& error) {
    auto known = impl_->local.database.transaction(
        [&](store::Transaction& t) { return rows::tags(t, place.repository, limit + 1, after); });
    if (known.empty() || !is_away(error.kind()))
      throw as_answer(error, Code::NAME_UNKNOWN, "tags of " + place.repository);
    log::warn("registry: tags of {}: {}; those that are here are listed", place.repository, error.message());
    names = std::move(known);
  }
  std::sort(names.begin(), names.end());
  names.erase(names.begin(), std::upper_bound(names.begin(), names.end(), after));
  bool more = names.size() > limit;
  if (more) names.resize(limit);
  return {std::move(names), more};
}

}  // namespace gantry::distribution
