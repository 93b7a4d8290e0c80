#include "gantry/registry/source.h"

#include <charconv>
#include <map>
#include <mutex>

#include "answers.h"
#include "blob.h"
#include "gantry/base/log.h"
#include "manifest.h"
#include "remote.h"
#include "sign_in.h"
#include "url.h"

namespace gantry::registry {
namespace {

constexpr std::size_t kMostRepositories = 256;  // remembered; beyond it they are found out again
constexpr std::size_t kMostTags = 10'000;

using Remotes = std::vector<std::shared_ptr<Remote>>;

// Artifacts are passed on like images.
std::string accepted() { return accepted_manifests() + ", application/vnd.oci.artifact.manifest.v1+json, */*;q=0.1"; }

Remote::Call manifest_call(const std::string& method, const std::string& reference) {
  Remote::Call call;
  call.method = method;
  call.path = "manifests/" + reference;
  call.headers.emplace_back("Accept", accepted());
  call.limit = kManifestLimit;
  return call;
}

[[noreturn]] void refuse(const std::string& why) { throw Error(ErrorKind::invalid, why, "the registry is at fault"); }

std::uint64_t length_in(const HttpAnswer& answer, const std::string& what) {
  auto field = answer.headers.get("Content-Length");
  std::uint64_t out = 0;
  auto [end, failed] = std::from_chars(field.data(), field.data() + field.size(), out);
  if (field.empty() || failed != std::errc() || end != field.data() + field.size())
    refuse(what + ": the registry does not say how long it is");
  return out;
}

}  // namespace

struct Source::Impl {
  Impl(Options options_in, std::vector<std::string> addresses_in, Login login_in)
      : options(std::move(options_in)),
        addresses(std::move(addresses_in)),
        login(std::move(login_in)),
        transport(options, stop) {
    if (addresses.empty()) throw Error(ErrorKind::invalid, "a registry without an address");
    for (const auto& address : addresses)
      Url::parse(address.find("://") == std::string::npos ? "https://" + address : address);
  }

  Remotes remotes_of(const std::string& repository) {
    std::lock_guard lock(mutex);
    auto found = remotes.find(repository);
    if (found != remotes.end()) return found->second;
    if (remotes.size() >= kMostRepositories) remotes.clear();
    Remotes made;
    for (const auto& address : addresses)
      made.push_back(std::make_shared<Remote>(transport, options, address, repository, login(address)));
    return remotes[repository] = made;
  }

  /// `ask` of the first that does not fail. `again` says whether another may be asked after a failure.
  template <class Ask, class Again>
  auto first_of(const std::string& repository, Ask ask, Again again) {
    auto list = remotes_of(repository);
    for (std::size_t i = 0;; ++i) {
      try {
        return ask(*list[i]);
      } catch (const Error& error) {
        stop.check();
        if (i + 1 == list.size() || error.kind() == ErrorKind::cancelled || !again()) throw;
        log::warn("mirror {}: {}; asking the next", list[i]->registry(), error.message());
      }
    }
  }
  template <class Ask>
  auto first_of(const std::string& repository, Ask ask) {
    return first_of(repository, std::move(ask), [] { return true; });
  }

  Options options;
  std::vector<std::string> addresses;
  Login login;
  StopFlag stop;
  Transport transport;
  std::mutex mutex;
  std::map<std::string, Remotes> remotes;  ///< by repository: tokens are good for one
};

Source::Source(Options options, std::vector<std::string> addresses, Login login)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(addresses), std::move(login))) {}
Source::~Source() = default;

std::optional<std::string> Source::digest_of(const std::string& repository, const std::string& tag) {
  auto ask = [&](Remote& remote) -> std::optional<std::string> {
    auto got = remote.attempt(manifest_call("HEAD", tag));
    remote.require_success(got.answer, repository + ":" + tag);
    const auto* digest = got.answer.headers.find("Docker-Content-Digest");
    if (digest == nullptr) return std::nullopt;
    return oci::Digest::parse(*digest).str();
  };
  return impl_->first_of(repository, ask);
}

Source::Document Source::manifest(const std::string& repository, const std::string& reference) {
  auto what = repository + (reference.find(':') == std::string::npos ? ":" : "@") + reference;
  auto ask = [&](Remote& remote) {
    auto call = manifest_call("GET", reference);
    call.what = what;
    auto got = remote.call(std::move(call));
    remote.require_success(got.answer, what);
    auto digest = oci::Digest::of(got.answer.body).str();
    auto said = got.answer.headers.get("Docker-Content-Digest", digest);
    if (said != digest || (reference.find(':') != std::string::npos && reference != digest))
      refuse(what + ": the manifest that came has the digest " + digest + ", not " +
             printable(said != digest ? said : reference, 80));
    return Document{got.answer.headers.get("Content-Type"), std::move(got.answer.body)};
  };
  return impl_->first_of(repository, ask);
}

std::uint64_t Source::blob_size(const std::string& repository, const std::string& digest) {
  auto what = "blob " + digest + " of " + repository;
  auto ask = [&](Remote& remote) {
    Remote::Call call;
    call.method = "HEAD";
    call.path = "blobs/" + digest;
    call.what = what;
    auto got = remote.call(std::move(call));
    remote.require_success(got.answer, what);
    return length_in(got.answer, what);
  };
  return impl_->first_of(repository, ask);
}

void Source::blob(const std::string& repository, const std::string& digest, std::uint64_t size,
                  const std::function<void(std::string_view)>& take) {
  BlobRequest request{oci::Digest::parse(digest), size, "blob " + digest + " of " + repository};
  bool begun = false;
  auto pass = [&](std::string_view piece) {
    begun = true;
    take(piece);
  };
  auto ask = [&](Remote& remote) {
    fetch_blob(remote, request, pass, {});
    return true;
  };
  impl_->first_of(repository, ask, [&] { return !begun; });
}

std::vector<std::string> Source::tags(const std::string& repository) {
  auto ask = [&](Remote& remote) { return read_tags(remote, "tags of " + repository, kMostTags); };
  return impl_->first_of(repository, ask);
}

void Source::forget() {
  std::lock_guard lock(impl_->mutex);
  impl_->remotes.clear();
}

void Source::stop() { impl_->stop.set(); }

std::string host_of_address(const std::string& address) {
  auto scheme = address.find("://");
  auto host = scheme == std::string::npos ? address : address.substr(scheme + 3);
  host = host.substr(0, host.find('/'));
  bool hub = host == "index.docker.io" || host == "registry-1.docker.io" || host == "docker.io";
  return hub ? "docker.io" : host;
}

}  // namespace gantry::registry
