#include "registry_proxies.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <mutex>

#include "gantry/base/files.h"
#include "gantry/base/log.h"
#include "gantry/registry/source.h"

namespace gantry::daemon {
namespace {

namespace fs = std::filesystem;

// Somebody waits for the answer, and may have other places to ask.
registry::Options source_options() {
  registry::Options out;
  out.attempts = 3;
  out.longest_wait = std::chrono::seconds(5);
  out.connect_timeout = std::chrono::seconds(5);
  return out;
}

/// Sign-ins in a file, read again when it has changed: tokens of clouds live for hours.
class LoginFile {
 public:
  explicit LoginFile(fs::path file) : file_(std::move(file)) { read(); }

  std::optional<registry::Credentials> find(const std::string& host) const {
    std::lock_guard lock(mutex_);
    return registry::login_at(logins_, host);
  }
  /// Whether it says something else now.
  bool look() {
    std::lock_guard lock(mutex_);
    std::error_code failed;
    auto changed = file_.empty() ? changed_ : fs::last_write_time(file_, failed);
    if (failed || changed == changed_) return false;
    try {
      read();
    } catch (const Error& error) {
      changed_ = changed;  // not again with every request
      log::warn("{}: {}; the sign-ins of before are kept", file_.string(), error.message());
      return false;
    }
    return true;
  }

 private:
  void read() {
    if (file_.empty()) return;
    changed_ = fs::last_write_time(file_);
    logins_ = registry::parse_docker_config(read_file(file_));
  }
  fs::path file_;
  mutable std::mutex mutex_;
  fs::file_time_type changed_;
  registry::Logins logins_;
};

class SourceUpstream : public distribution::Upstream {
 public:
  SourceUpstream(std::vector<std::string> addresses, fs::path logins)
      : logins_(std::move(logins)), source_(source_options(), std::move(addresses), [this](const std::string& address) {
          return logins_.find(registry::host_of_address(address));
        }) {}

  bool knows(const std::string& host) const { return logins_.find(host).has_value(); }

  std::optional<std::string> digest_of(const std::string& repository, const std::string& tag) override {
    return source().digest_of(repository, tag);
  }
  Document manifest(const std::string& repository, const std::string& reference) override {
    auto got = source().manifest(repository, reference);
    return {std::move(got.media_type), std::move(got.text)};
  }
  std::uint64_t blob_size(const std::string& repository, const std::string& digest) override {
    return source().blob_size(repository, digest);
  }
  void fetch(const std::string& repository, const std::string& digest, std::uint64_t size,
             const std::function<void(std::string_view)>& take) override {
    source().blob(repository, digest, size, take);
  }
  std::vector<std::string> tags(const std::string& repository) override { return source().tags(repository); }
  void stop() override { source_.stop(); }

 private:
  registry::Source& source() {
    if (logins_.look()) source_.forget();
    return source_;
  }
  LoginFile logins_;
  registry::Source source_;
};

[[noreturn]] void refuse(const std::string& proxy, const std::string& why, const std::string& fix) {
  throw Error(ErrorKind::invalid, "--registry-proxy " + proxy + ": " + why, fix);
}

bool is_name(const std::string& text) {
  return !text.empty() && text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789._-/") == std::string::npos &&
         text.front() != '/' && text.back() != '/';
}

}  // namespace

void declare(CLI::App& app, CLI::Option& listen, ProxyOptions& options) {
  auto* proxy = app.add_option("--registry-proxy", options.proxies,
                               "be a mirror of the registry at URL, for repositories NAME/... or (*) for all that "
                               "are not our own; may be given several times, for one NAME too")
                    ->type_name("NAME=URL")
                    ->allow_extra_args(false)
                    ->needs(&listen);
  app.add_option("--registry-proxy-config", options.config,
                 "sign-ins at those registries, in the form of docker's config.json")
      ->check(CLI::ExistingFile)
      ->needs(proxy);
  app.add_option("--registry-proxy-ttl", options.ttl, "how long a tag of theirs is not asked for again")
      ->capture_default_str()
      ->needs(proxy);
}

std::vector<NamedProxy> parse_proxies(const std::vector<std::string>& proxies) {
  std::vector<NamedProxy> out;
  for (const auto& text : proxies) {
    auto equals = text.find('=');
    auto name = text.substr(0, equals);
    auto address = equals == std::string::npos ? name : text.substr(equals + 1);
    bool everything = name == distribution::kEverything;
    if (!everything && !is_name(name))
      refuse(text, "'" + name + "' cannot be the beginning of a repository's name",
             "say NAME=URL with a name of lower-case letters, for example docker.io=https://registry-1.docker.io");
    if (address.empty() || (everything && equals == std::string::npos))
      refuse(text, "the registry's address is missing", "for example *=https://registry-1.docker.io");
    auto known = std::ranges::find(out, name, &NamedProxy::name);
    if (known == out.end()) known = out.insert(out.end(), {name, {}});
    known->addresses.push_back(address);
  }
  return out;
}

std::vector<distribution::Proxy> make_proxies(const ProxyOptions& options, const std::string& listen) {
  std::vector<distribution::Proxy> out;
  bool known = false;
  for (const auto& [name, addresses] : parse_proxies(options.proxies)) {
    for (const auto& address : addresses)
      if (registry::host_of_address(address) == listen)
        refuse(name + "=" + address, "that is the registry inside itself", "give the address of another registry");
    auto upstream = std::make_shared<SourceUpstream>(addresses, options.config);
    for (const auto& address : addresses) known = known || upstream->knows(registry::host_of_address(address));
    out.push_back({.name = name,
                   .host = registry::host_of_address(addresses.back()),
                   .address = addresses.back(),
                   .upstream = std::move(upstream)});
  }
  if (!options.config.empty() && !known)
    throw Error(
        ErrorKind::invalid,
        "--registry-proxy-config " + options.config.string() + ": it has no sign-in for any --registry-proxy",
        "passwords kept by a helper (credsStore) are not in the file; write them with a config.json without one");
  return out;
}

distribution::MirrorOptions mirror_options(const ProxyOptions& options) {
  auto ttl = parse_duration(options.ttl);
  if (!ttl || *ttl < Duration::zero())
    throw Error(ErrorKind::invalid, "--registry-proxy-ttl " + options.ttl + ": expected a duration", "for example 5m");
  distribution::MirrorOptions out;
  out.ttl = std::chrono::duration_cast<std::chrono::seconds>(*ttl);
  return out;
}

}  // namespace gantry::daemon
