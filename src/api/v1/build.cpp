#include "../body_pipe.h"
#include "../build_context.h"
#include "../progress.h"
#include "build_sessions.h"
#include "gantry/oci/reference.h"
#include "routes.h"

namespace gantry::api::v1 {
namespace {

using Sessions = std::shared_ptr<BuildSessions>;

struct Opened {
  std::string id;
};
BOOST_DESCRIBE_STRUCT(Opened, (), (id))

build::Options options_of(const http::Query& query) {
  const auto* text = query.find("options");
  if (text == nullptr) return {};
  return json::from_text<build::Options>(*text, "query parameter 'options'", json::Unknown::refuse);
}

/// The build's own session for as long as it runs.
class TakenSession {
 public:
  TakenSession(Sessions sessions, std::string id) : sessions_(std::move(sessions)), id_(std::move(id)) {
    if (!id_.empty()) session_ = sessions_->take(id_);
  }
  TakenSession(const TakenSession&) = delete;
  TakenSession& operator=(const TakenSession&) = delete;
  ~TakenSession() {
    if (session_) sessions_->close(id_);
  }
  std::shared_ptr<const build::Grants> grants() const { return session_ ? session_->grants() : nullptr; }

 private:
  Sessions sessions_;
  std::string id_;
  std::shared_ptr<BuildSession> session_;
};

/// What one build takes from the network, signed in as the client says.
class SignedRemote : public build::Remote {
 public:
  SignedRemote(registry::Registry& registry, registry::Logins logins)
      : registry_(registry), logins_(std::move(logins)) {}
  task<> pull(std::string reference, std::string platform, std::function<void(std::string)> tell) override {
    registry::PullRequest request;
    request.reference = reference;
    request.credentials = registry::login_at(logins_, oci::Reference::parse(reference).domain);
    if (!platform.empty()) request.platform = registry::Platform::parse(platform);
    tell("pulling " + reference + "\n");
    auto got = co_await registry_.pull(std::move(request));
    tell(reference + ": " + got.digest + "\n");
  }
  task<> fetch(std::string url, std::filesystem::path into) override {
    co_await registry_.fetch(std::move(url), std::move(into));
  }

 private:
  registry::Registry& registry_;
  registry::Logins logins_;
};

task<json::bj::value> build_work(Services& services, std::filesystem::path context, build::Options options,
                                 registry::Logins logins, TellStep tell) {
  SignedRemote remote(services.parts.registry, std::move(logins));
  auto tags = options.tags;
  auto sink = [&tell](const build::Step& step) { tell(json::to(step)); };
  auto info = co_await services.parts.builder.build(context, std::move(options), sink, &remote);
  publish(services, "image", "build", info.id, tags.empty() ? info.id : tags.front());
  co_return json::to(info);
}

task<> build(Services& services, Sessions sessions, Call call) {
  auto options = options_of(call.query());
  if (!options.tags.empty()) *call.audited_object = options.tags.front();
  TakenSession session(sessions, call.query().get("session"));
  options.grants = session.grants();
  auto& builder = services.parts.builder;
  std::filesystem::path unpacked, path;
  if (auto remote = call.query().get("remote"); !remote.empty()) {
    auto fetched = co_await builder.fetch_context(remote);
    unpacked = fetched.directory;
    path = fetched.root;
    if (fetched.dockerfile) options.dockerfile_text = fetched.dockerfile;
    if (fetched.source) options.source = fetched.source;
  } else {
    auto unpack = [&builder](int fd) { return builder.unpack_context(fd); };
    unpacked = co_await with_body(call.exchange, services.transfers(), unpack);
    path = unpacked;
  }
  BuildContext context(services, std::move(unpacked));
  registry::Logins logins;
  if (const auto* field = call.exchange.request().headers.find("X-Registry-Config"))
    logins = registry::parse_logins(*field);
  auto* all = &services;
  auto work = [all, path, options, logins](TellStep tell) {
    return build_work(*all, path, options, logins, std::move(tell));
  };
  co_await stream_progress(call.exchange, work);
}

task<> open_session(Services&, Sessions sessions, Call call) {
  auto body = co_await body_as<SessionBody>(call.exchange);
  Opened opened{sessions->open(body)};
  co_await answer(call.exchange, 201, std::move(opened));
}

task<> offer_agent(Services&, Sessions sessions, Call call) {
  call.exchange.require_upgrade("tcp");
  *call.audited_object = call.parameter("agent");  // who knows the id of a session can offer it agents
  auto session = sessions->find(call.parameter("id"));
  auto& relay = session->agent(call.parameter("agent"));
  auto client = co_await call.exchange.upgrade("tcp", std::string(http::kRawStream));
  co_await relay.offer(client);
}

using SessionFunction = task<> (*)(Services&, Sessions, Call);

std::function<task<>(Call)> with(Services& services, Sessions sessions, SessionFunction function) {
  return [&services, sessions, function](Call call) { return function(services, sessions, std::move(call)); };
}

}  // namespace

std::vector<Route> build_routes(Services& s) {
  auto directory = s.parts.daemon.run_dir / "build-agents";
  auto sessions = std::make_shared<BuildSessions>(s.parts.executor, s.changes, directory);
  constexpr auto kChanges = Effect::changes;
  return {
      {"POST", "/v1/build", "image.build", kChanges, {"options", "session", "remote"}, with(s, sessions, build)},
      {"POST", "/v1/build/sessions", "image.build", kChanges, {}, with(s, sessions, open_session)},
      {"POST",
       "/v1/build/sessions/{id}/agents/{agent}",
       "image.build",
       Effect::reads,
       {},
       with(s, sessions, offer_agent)},
  };
}

}  // namespace gantry::api::v1
