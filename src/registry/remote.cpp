#include "remote.h"

#include <algorithm>

#include "answers.h"
#include "gantry/base/log.h"

namespace gantry::registry {
namespace {

constexpr int kMostRedirects = 10;
constexpr std::chrono::milliseconds kProbe{2000};
constexpr std::string_view kDocker = "docker.io";

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/// An answer that asks to come back later, thrown between attempts.
struct Later {
  Error error;
  std::optional<std::chrono::milliseconds> wait;
};

}  // namespace

std::string host_of_registry(const std::string& domain) {
  return domain == kDocker ? std::string("registry-1.docker.io") : domain;
}

void Retries::after(const Error& failure, std::optional<std::chrono::milliseconds> asked) {
  if (failure.kind() == ErrorKind::cancelled || ++failed_ >= options_.attempts) throw Error(failure);
  auto wait = std::min(options_.first_backoff * (1 << std::min(failed_ - 1, 10)), options_.longest_wait);
  if (asked && *asked > options_.longest_wait) {
    auto seconds = std::chrono::duration_cast<std::chrono::seconds>(*asked).count();
    throw Error(failure.kind(), failure.message(), "try again in " + std::to_string(seconds) + " s, as it asks");
  }
  if (asked) wait = std::max(*asked, options_.first_backoff);
  log::info("{}; trying again in {} ms", failure.message(), wait.count());
  if (tell_) tell_(failure.message(), wait);
  stop_.sleep(wait);
}

Remote::Remote(Transport& transport, const Options& options, std::string base, std::string repository,
               std::optional<Credentials> credentials)
    : transport_(transport),
      options_(options),
      registry_(base),
      authority_(host_of_registry(base)),
      repository_(std::move(repository)),
      authorization_(transport, base, std::move(credentials)) {
  if (base.find("://") == std::string::npos) return;
  auto url = Url::parse(base);
  scheme_ = url.scheme;
  registry_ = authority_ = url.authority;
  prefix_ = url.target == "/" ? "" : url.target;
  while (prefix_.ends_with('/')) prefix_.pop_back();
}

// https everywhere; a registry on this machine may speak plain http, which is found out once.
std::string Remote::scheme() {
  std::lock_guard lock(mutex_);
  if (!scheme_.empty()) return scheme_;
  auto url = Url::parse("https://" + authority_ + "/v2/");
  scheme_ = "https";
  if (!url.is_loopback()) return scheme_;
  try {
    HttpRequest probe;
    probe.url = url;
    probe.connect_timeout = kProbe;
    transport_.exchange(probe);
  } catch (const TransportError& error) {
    // With a port, the other scheme has the same port; without, another one, and nobody may listen on this.
    bool another_port =
        url.authority.find(':', url.authority.rfind(']') == std::string::npos ? 0 : url.authority.rfind(']')) ==
        std::string::npos;
    bool silent = error.kind() == ErrorKind::timeout;  // waits for a request while we wait for TLS
    if (error.cause() != TransportError::Cause::not_tls && !silent && !another_port) {
      scheme_.clear();
      throw;
    }
    scheme_ = "http";
  }
  return scheme_;
}

Url Remote::url_of(const Call& call) {
  if (!call.url.empty()) return Url::parse(call.url);
  auto path = call.path.starts_with('/') ? call.path : "/" + repository_ + "/" + call.path;
  return Url::parse(scheme() + "://" + authority_ + prefix_ + "/v2" + path);
}

std::vector<std::string> Remote::scopes(const Call& call) const {
  if (repository_.empty())
    return call.path.starts_with("/_catalog") ? std::vector<std::string>{"registry:catalog:*"}
                                              : std::vector<std::string>{};
  std::vector<std::string> out{"repository:" + repository_ + (call.pushes ? ":pull,push" : ":pull")};
  if (!call.also_pull.empty()) out.push_back("repository:" + call.also_pull + ":pull");
  return out;
}

HttpAnswer Remote::exchange(const Call& call, const Url& url, const std::string& authorization) {
  HttpRequest request;
  request.method = call.method;
  request.url = url;
  request.headers = call.headers;
  request.body = call.body;
  request.upload = call.upload;
  request.upload_size = call.upload_size;
  request.sink = call.sink;
  request.accept = call.accept;
  request.limit = call.limit;
  if (!authorization.empty()) request.headers.emplace_back("Authorization", authorization);
  return transport_.exchange(request);
}

Remote::Got Remote::attempt(const Call& call) {
  Url first = url_of(call);
  Url url = first;
  auto wanted = scopes(call);
  // An upload address on another host carries its own proof; what we are here is nobody's business there.
  auto ours = [&](const Url& at) { return at.authority == authority_; };
  auto authorization = ours(url) ? authorization_.header(wanted) : "";
  int redirects = 0;
  for (bool answered = false;;) {
    auto answer = exchange(call, url, ours(url) ? authorization : "");
    reached_ = true;
    if (answer.status == 401 && ours(url) && !answered) {
      answered = true;
      if (call.upload || !authorization_.answer(answer, authorization, wanted)) return {std::move(answer), url};
      authorization = authorization_.header(wanted);
      continue;
    }
    if (!is_redirect(answer.status) || call.method == "POST" || call.upload) return {std::move(answer), url};
    const auto* location = answer.headers.find("Location");
    if (location == nullptr) throw Error(ErrorKind::invalid, registry_ + " redirects to nowhere (no Location)");
    auto next = url.resolve(*location);
    if (++redirects > kMostRedirects)
      throw Error(ErrorKind::invalid, registry_ + " redirects without end, at last to " + next.origin());
    if (url.scheme == "https" && next.scheme == "http")
      throw Error(ErrorKind::denied,
                  registry_ + " redirects from https to plain http at " + next.authority + ", which is refused");
    url = std::move(next);
  }
}

Remote::Got Remote::call(Call request, Retries::Tell tell) {
  Retries retries(options_, stop(), std::move(tell));
  const auto& what = !request.what.empty() ? request.what : repository_.empty() ? registry_ : repository_;
  for (;;) {
    std::optional<Later> later;
    try {
      auto got = attempt(request);
      if (got.answer.status == 401) refuse(got.answer, what);
      if (!is_temporary(got.answer.status)) return got;
      later.emplace(Later{refusal(got.answer, what, registry_, has_credentials()), retry_after(got.answer)});
    } catch (const TransportError& error) {
      // Who has never answered is a wrong name or address most likely, and somebody waits for the answer.
      bool never_there = error.cause() != TransportError::Cause::lost && !reached_;
      if (!error.temporary() || never_there) throw Error(error);
      later.emplace(Later{Error(error), std::nullopt});
    }
    if (request.sink || request.upload) throw Error(later->error);
    retries.after(later->error, later->wait);
  }
}

void Remote::refuse(const HttpAnswer& answer, const std::string& what) const {
  throw refusal(answer, what, registry_, has_credentials());
}

void Remote::require_success(const HttpAnswer& answer, const std::string& what) const {
  if (answer.status >= 300) refuse(answer, what);
}

}  // namespace gantry::registry
