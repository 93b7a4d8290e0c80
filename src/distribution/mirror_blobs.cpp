#include <sys/statvfs.h>
#include <unistd.h>

#include "gantry/base/ids.h"
#include "gantry/base/json.h"
#include "gantry/base/log.h"
#include "mirror_impl.h"
#include "names.h"

namespace gantry::distribution {
namespace {

constexpr std::size_t kMostAtOnce = 64;
constexpr std::uint64_t kKeptFree = 64u << 20;  // as for uploads
constexpr std::uint64_t kLargestBlob = 1ull << 40;

void require_space(const std::filesystem::path& directory, std::uint64_t size) {
  if (size > kLargestBlob)
    throw Error(ErrorKind::invalid, "a blob of " + std::to_string(size) + " bytes is larger than any can be");
  struct statvfs info {};
  if (::statvfs(directory.c_str(), &info) == 0 && info.f_bavail * info.f_frsize < kKeptFree + size)
    throw RegistryError(Code::UNKNOWN, ErrorKind::exhausted, "the registry's disk is full",
                        "'gantry disk' shows what takes it; a smaller --registry-proxy-budget keeps less of mirrors");
}

// The manifest was parsed when it came, so its descriptors have their form.
std::optional<std::uint64_t> size_in(const std::string& manifest, const std::string& digest) {
  auto value = json::parse(manifest, "manifest");
  std::optional<std::uint64_t> out;
  auto look = [&](const boost::json::value& descriptor) {
    const auto& object = descriptor.get_object();
    if (object.at("digest").get_string() != digest) return;
    boost::system::error_code failed;
    auto size = object.at("size").to_number<std::uint64_t>(failed);
    if (!failed) out = size;
  };
  const auto& object = value.get_object();
  if (const auto* config = object.if_contains("config")) look(*config);
  if (const auto* layers = object.if_contains("layers"))
    for (const auto& layer : layers->get_array()) look(layer);
  return out;
}

}  // namespace

std::optional<std::uint64_t> Mirror::Impl::known_size(const Place& place, const std::string& digest) {
  auto text = local.database.transaction(
      [&](store::Transaction& t) { return rows::manifest_naming(t, place.repository, digest); });
  return text ? size_in(*text, digest) : std::nullopt;
}

// Only for a blob that the upstream's own manifest names, and only from the same upstream: what is pushed here is
// nobody's to have by naming it there.
bool Mirror::Impl::take_from_sibling(const Place& place, const std::string& digest) {
  return local.database.transaction([&](store::Transaction& t) {
    if (!rows::is_referred_to(t, place.repository, digest)) return false;
    if (!rows::sibling_blob(t, proxy(place).name, digest)) return false;
    rows::link(t, place.repository, digest, seconds_now());
    return true;
  });
}

std::optional<Blob> Mirror::stored_blob(const Place& place, const std::string& digest) {
  auto wanted = require_digest(digest);
  auto look = [&]() -> std::optional<Blob> {
    auto row = impl_->local.database.transaction(
        [&](store::Transaction& t) { return rows::linked_blob(t, place.repository, wanted.str()); });
    if (!row || row->shared) return std::nullopt;
    try {
      return Blob(row->size, impl_->local.blobs.open(wanted));
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::not_found) throw;
      return std::nullopt;  // collected in between
    }
  };
  if (auto here = look()) return here;
  return impl_->take_from_sibling(place, wanted.str()) ? look() : std::nullopt;
}

std::uint64_t Mirror::blob_size(const Place& place, const std::string& digest) {
  if (auto here = stored_blob(place, digest)) return here->size();
  if (auto size = impl_->known_size(place, digest)) return *size;
  try {
    return impl_->proxy(place).upstream->blob_size(place.remote, digest);
  } catch (const Error& error) {
    throw as_answer(error, Code::BLOB_UNKNOWN, impl_->shown(place, digest));
  }
}

Blob Mirror::blob(const Place& place, const std::string& digest) {
  auto wanted = require_digest(digest);
  std::shared_ptr<Arrival::Reader> reader;
  try {
    reader = impl_->join(place, wanted);
    if (reader) reader->wait_for_begin();
  } catch (const RegistryError&) {
    throw;
  } catch (const Error& error) {
    throw as_answer(error, Code::BLOB_UNKNOWN, impl_->shown(place, digest));
  }
  if (reader) {
    Blob::Produce produce = [reader](auto first, auto size, const auto& sink) { reader->read(first, size, sink); };
    return Blob(reader->size(), std::move(produce));
  }
  auto here = stored_blob(place, digest);
  if (!here)
    throw RegistryError(Code::UNKNOWN, ErrorKind::unavailable, "blob " + digest + " has just been collected",
                        "ask again");
  return std::move(*here);
}

// Empty: it is here by now.
std::shared_ptr<Arrival::Reader> Mirror::Impl::join(const Place& place, const oci::Digest& digest) {
  std::pair key{place.repository, digest.str()};
  auto running = [&]() -> std::shared_ptr<Arrival::Reader> {
    auto found = arriving.find(key);
    return found == arriving.end() ? nullptr : found->second->join();
  };
  {
    std::lock_guard lock(mutex);
    if (auto reader = running()) return reader;
  }
  auto known = known_size(place, digest.str());
  auto size = known ? *known : proxy(place).upstream->blob_size(place.remote, digest.str());
  require_space(directory, size);
  reap();
  std::lock_guard lock(mutex);
  if (stopping) throw Error(ErrorKind::unavailable, "the daemon is stopping", "try again when it is back");
  if (auto reader = running()) return reader;
  // It may have come, and gone from `arriving`, since somebody looked last.
  bool here = local.database.transaction([&](store::Transaction& t) {
    auto row = rows::linked_blob(t, place.repository, digest.str());
    return row && !row->shared;
  });
  if (here) return nullptr;
  if (arriving.size() >= kMostAtOnce)
    throw RegistryError(Code::TOOMANYREQUESTS, ErrorKind::unavailable,
                        "as many blobs as may be are on their way from other registries", "try again later");
  auto arrival = std::make_shared<Arrival>(directory / random_hex(16), size);
  auto reader = arrival->join();
  arriving[key] = arrival;
  auto& thread = threads.emplace_back();
  thread.thread = std::thread([this, place, digest, arrival, size, key, &thread] {
    fetch(place, digest, arrival, size);
    std::lock_guard done(mutex);
    auto found = arriving.find(key);
    if (found != arriving.end() && found->second == arrival) arriving.erase(found);
    thread.done = true;
  });
  return reader;
}

void Mirror::Impl::fetch(const Place& place, const oci::Digest& digest, const std::shared_ptr<Arrival>& arrival,
                         std::uint64_t size) {
  try {
    oci::Hasher hasher;
    auto take = [&](std::string_view piece) {
      hasher.update(piece);
      try {
        arrival->append(piece);
      } catch (const Error& error) {
        // Not the upstream's doing: not to be told as its rate limit.
        if (error.kind() == ErrorKind::cancelled) throw;
        throw RegistryError(Code::UNKNOWN, error.kind(), error.message(), error.fix());
      }
    };
    proxy(place).upstream->fetch(place.remote, digest.str(), size, take);
    if (auto came = hasher.finish(); came != digest)
      throw Error(ErrorKind::invalid, "what came has the digest " + came.str(), "the upstream is at fault");
    publish(place, digest, *arrival, size);
    set_down(place, false);
    log::debug("registry: {}: {} bytes came", shown(place, digest.str()), size);
  } catch (...) {
    auto error = to_error(std::current_exception());
    if (error.kind() != ErrorKind::cancelled)
      log::warn("registry: {}: {}", shown(place, digest.str()), error.message());
    arrival->fail(std::current_exception());
    return;
  }
  if (grown) grown();
}

void Mirror::Impl::publish(const Place& place, const oci::Digest& digest, Arrival& arrival, std::uint64_t size) {
  auto file = arrival.finish();
  {
    std::lock_guard lock(local.mutex);
    if (local.database.transaction([&](store::Transaction& t) { return rows::is_own(t, place.repository); }))
      throw Error(ErrorKind::conflict, place.repository + " has just become one of our own", "ask again");
    local.blobs.adopt(file, digest);
    local.held.erase(digest.str());  // if it was made from a layer of the engine, it is a file from now on
    local.database.transaction([&](store::Transaction& t) {
      rows::set_mirrored(t, place.repository, proxy(place).name);
      rows::keep_blob(t, digest.str(), size);
      rows::link(t, place.repository, digest.str(), seconds_now());
    });
  }
  arrival.publish();
}

// Threads that have ended are joined by whoever comes next; `stop` waits for all.
void Mirror::Impl::reap() {
  std::list<Thread> ended;
  {
    std::lock_guard lock(mutex);
    for (auto at = threads.begin(); at != threads.end();) {
      auto next = std::next(at);
      if (stopping || at->done) ended.splice(ended.end(), threads, at);
      at = next;
    }
  }
  for (auto& one : ended) one.thread.join();
}

}  // namespace gantry::distribution
