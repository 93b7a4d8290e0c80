#include "gantry/registry/registry.h"
#include "../progress.h"
#include "../registry_login.h"
#include "routes.h"

namespace gantry::api::v1 {
namespace {

struct PullBody {
  std::string reference;
  std::optional<std::string> platform;
  registry::PullPolicy policy = registry::PullPolicy::always;
};
BOOST_DESCRIBE_STRUCT(PullBody, (), (reference, platform, policy))

struct PushBody {
  std::string reference;
};
BOOST_DESCRIBE_STRUCT(PushBody, (), (reference))

struct CollectBody {
  bool untagged = false;
  std::optional<std::int64_t> grace_seconds;  ///< unset: the daemon's
};
BOOST_DESCRIBE_STRUCT(CollectBody, (), (untagged, grace_seconds))
struct CopyBody {
  std::string source, target;
  std::optional<std::string> platform;
  bool all = false;
  bool referrers = false;
};
BOOST_DESCRIBE_STRUCT(CopyBody, (), (source, target, platform, all, referrers))

struct Copied {
  std::string source, target, digest;
  std::uint64_t manifests = 0, referrers = 0, blobs = 0, sent = 0;
};
BOOST_DESCRIBE_STRUCT(Copied, (), (source, target, digest, manifests, referrers, blobs, sent))

struct LoginBody {
  std::string server;
};
BOOST_DESCRIBE_STRUCT(LoginBody, (), (server))

struct Step {
  std::string id;
  registry::Step status;
  std::uint64_t current = 0;
  std::uint64_t total = 0;
  std::string detail;
};
BOOST_DESCRIBE_STRUCT(Step, (), (id, status, current, total, detail))

struct Pulled {
  std::string id;
  std::string reference;
  std::string digest;
  bool changed = false;
  std::uint64_t received = 0;
};
BOOST_DESCRIBE_STRUCT(Pulled, (), (id, reference, digest, changed, received))

struct Pushed {
  std::string reference;
  std::string digest;
  std::uint64_t size = 0;
  std::uint64_t sent = 0;
  std::vector<std::string> recompressed;
};
BOOST_DESCRIBE_STRUCT(Pushed, (), (reference, digest, size, sent, recompressed))

struct LoggedIn {
  std::string identity_token;
};
BOOST_DESCRIBE_STRUCT(LoggedIn, (), (identity_token))

registry::ProgressSink sink_of(TellStep tell) {
  return [tell = std::move(tell)](const registry::Progress& step) {
    tell(json::to(Step{step.id, step.step, step.current, step.total, step.detail}));
  };
}

task<json::bj::value> pull_work(Services& services, registry::PullRequest request, TellStep tell) {
  auto reference = request.reference;
  auto sink = sink_of(std::move(tell));
  auto got = co_await services.parts.registry.pull(std::move(request), std::move(sink));
  publish(services, "image", "pull", got.image.id, reference);
  co_return json::to(Pulled{got.image.id, got.reference, got.digest, got.changed, got.received});
}

task<> pull(Services& services, Call call) {
  auto body = co_await body_as<PullBody>(call.exchange);
  *call.audited_object = body.reference;
  registry::PullRequest request;
  request.reference = oci::Reference::parse(body.reference).canonical();
  request.credentials = credentials_of(call);
  if (body.platform) request.platform = registry::Platform::parse(*body.platform);
  request.policy = body.policy;
  auto* all = &services;
  auto work = [all, request](TellStep tell) { return pull_work(*all, request, std::move(tell)); };
  co_await stream_progress(call.exchange, work);
}

task<json::bj::value> push_work(Services& services, registry::PushRequest request, TellStep tell) {
  auto reference = request.reference;
  auto sink = sink_of(std::move(tell));
  auto done = co_await services.parts.registry.push(std::move(request), std::move(sink));
  publish(services, "image", "push", done.digest, reference);
  co_return json::to(Pushed{done.reference, done.digest, done.size, done.sent, done.recompressed});
}

task<> push(Services& services, Call call) {
  auto body = co_await body_as<PushBody>(call.exchange);
  *call.audited_object = body.reference;
  registry::PushRequest request;
  request.reference = body.reference;
  request.credentials = credentials_of(call);
  auto* all = &services;
  auto work = [all, request](TellStep tell) { return push_work(*all, request, std::move(tell)); };
  co_await stream_progress(call.exchange, work);
}

task<json::bj::value> copy_work(Services& services, registry::CopyRequest request, TellStep tell) {
  auto sink = sink_of(std::move(tell));
  auto done = co_await services.parts.registry.copy(std::move(request), std::move(sink));
  publish(services, "image", "copy", done.digest, done.target);
  co_return json::to(
      Copied{done.source, done.target, done.digest, done.manifests, done.referrers, done.blobs, done.sent});
}

// skopeo's way to say that it is a registry is taken, too.
std::string registry_reference(std::string text) {
  constexpr std::string_view kScheme = "docker://";
  if (text.starts_with(kScheme)) text.erase(0, kScheme.size());
  oci::Reference::parse(text);
  return text;
}

task<> copy(Services& services, Call call) {
  auto body = co_await body_as<CopyBody>(call.exchange);
  registry::CopyRequest request;
  request.source = registry_reference(body.source);
  request.target = registry_reference(body.target);
  *call.audited_object = request.target;
  if (body.platform) request.platform = registry::Platform::parse(*body.platform);
  request.all = body.all;
  request.referrers = body.referrers;
  if (body.all && body.platform)
    throw Error(ErrorKind::invalid, "copy: all platforms, or one, but not both", "leave one of them out");
  const auto* logins = call.exchange.request().headers.find("X-Registry-Config");
  if (logins != nullptr) request.logins = registry::parse_logins(*logins);
  auto* all = &services;
  auto work = [all, request](TellStep tell) { return copy_work(*all, request, std::move(tell)); };
  co_await stream_progress(call.exchange, work);
}

task<> login(Services& services, Call call) {
  auto body = co_await body_as<LoginBody>(call.exchange);
  *call.audited_object = body.server;
  auto credentials = credentials_of(call);
  if (!credentials) throw Error(ErrorKind::invalid, "no user and password", "send them as X-Registry-Auth");
  auto token = co_await services.parts.registry.login(body.server, std::move(*credentials));
  LoggedIn accepted{std::move(token)};
  co_await answer(call.exchange, 200, std::move(accepted));
}

task<> tags(Services& services, Call call) {
  auto repository = required(call.query(), "repository");
  auto limit = count(call.query(), "limit").value_or(10'000);
  auto credentials = credentials_of(call);
  auto found = co_await services.parts.registry.tags(repository, std::move(credentials), limit);
  co_await answer(call.exchange, 200, std::move(found));
}

task<> repositories(Services& services, Call call) {
  auto work = [&services] { return services.parts.distribution.describe(); };
  auto found = co_await services.pool().run(std::move(work));
  co_await answer(call.exchange, 200, std::move(found));
}

task<> collect(Services& services, Call call) {
  auto body = co_await body_as<CollectBody>(call.exchange);
  if (body.grace_seconds.value_or(0) < 0) throw Error(ErrorKind::invalid, "a grace period cannot be negative");
  std::optional<std::chrono::seconds> grace;
  if (body.grace_seconds) grace = std::chrono::seconds(*body.grace_seconds);
  auto work = [&services, untagged = body.untagged, grace] {
    return services.parts.distribution.collect(untagged, grace);
  };
  auto collected = co_await services.pool().run(std::move(work));
  co_await answer(call.exchange, 200, std::move(collected));
}

}  // namespace

std::vector<Route> registry_routes(Services& s) {
  constexpr auto kReads = Effect::reads;
  constexpr auto kChanges = Effect::changes;
  return {
      {"POST", "/v1/images/pull", "image.pull", kChanges, {}, with(s, pull)},
      {"POST", "/v1/images/push", "image.push", kChanges, {}, with(s, push)},
      {"POST", "/v1/images/copy", "image.copy", kChanges, {}, with(s, copy)},
      {"POST", "/v1/registries/login", "registry.login", kReads, {}, with(s, login)},
      {"GET", "/v1/registries/tags", "registry.read", kReads, {"repository", "limit"}, with(s, tags)},
      {"GET", "/v1/registry/repositories", "registry.read", kReads, {}, with(s, repositories)},
      {"POST", "/v1/registry/collect", "registry.collect", kChanges, {}, with(s, collect)},
  };
}

}  // namespace gantry::api::v1
