#include "auth.h"

#include <boost/describe.hpp>

#include <algorithm>

#include "answers.h"
#include "gantry/base/base64.h"
#include "gantry/base/json.h"

namespace gantry::registry {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kShortestLife{60};  // what a token without expires_in lives, by the specification
constexpr std::chrono::seconds kMargin{10};
constexpr char kClient[] = "gantry";

struct TokenAnswer {
  std::string token, access_token, refresh_token;
  std::optional<std::int64_t> expires_in;
};
BOOST_DESCRIBE_STRUCT(TokenAnswer, (), (token, access_token, refresh_token, expires_in))

std::string joined(const std::vector<std::string>& scopes) {
  std::string out;
  for (const auto& scope : scopes) out += (out.empty() ? "" : " ") + scope;
  return out;
}

std::optional<Challenge> choose(const http::Headers& headers) {
  std::optional<Challenge> found;
  for (const auto& [name, value] : headers.fields()) {
    if (name.size() != 16 || !std::equal(name.begin(), name.end(), "www-authenticate",
                                         [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; }))
      continue;
    for (auto& challenge : parse_challenges(value)) {
      if (challenge.scheme == "bearer" && challenge.parameters.contains("realm")) return challenge;
      if (challenge.scheme == "basic") found = std::move(challenge);
    }
  }
  return found;
}

}  // namespace

std::string Authorization::refresh_token() const {
  std::lock_guard lock(mutex_);
  return refresh_token_;
}

bool Authorization::was_asked() const {
  std::lock_guard lock(mutex_);
  return challenge_.has_value();
}

std::string Authorization::basic() const {
  if (!credentials_ || credentials_->username.empty()) return "";
  return "Basic " + encode_base64(credentials_->username + ":" + credentials_->password);
}

std::string Authorization::header(const std::vector<std::string>& scopes) {
  if (credentials_ && !credentials_->registry_token.empty()) return "Bearer " + credentials_->registry_token;
  std::lock_guard lock(mutex_);
  if (!challenge_) return "";
  return challenge_->scheme == "basic" ? basic() : bearer(scopes);
}

bool Authorization::answer(const HttpAnswer& refused, const std::string& used, const std::vector<std::string>& scopes) {
  if (credentials_ && !credentials_->registry_token.empty()) return false;
  auto challenge = choose(refused.headers);
  if (!challenge) return false;
  std::lock_guard lock(mutex_);
  challenge_ = std::move(challenge);
  if (challenge_->scheme == "basic") return !basic().empty() && basic() != used;
  // A token that was refused is old; one that was fetched a moment ago by another thread may be good.
  auto known = tokens_.find(scopes);
  if (known != tokens_.end() && "Bearer " + known->second.value == used) tokens_.erase(known);
  return bearer(scopes) != used;
}

std::string Authorization::bearer(const std::vector<std::string>& scopes) {
  auto known = tokens_.find(scopes);
  if (known == tokens_.end() || known->second.expires < Clock::now())
    known = tokens_.insert_or_assign(scopes, fetch(scopes)).first;
  return "Bearer " + known->second.value;
}

// The realm gets the password, so the registry must not be able to send it anywhere in clear.
void Authorization::require_safe(const Url& realm) const {
  if (realm.scheme == "https" || realm.is_loopback()) return;
  throw Error(ErrorKind::denied, "registry " + registry_ + " wants sign-in over plain http at " + realm.authority,
              "the registry's token server must speak https");
}

HttpRequest Authorization::token_request(const std::vector<std::string>& scopes) const {
  const auto& parameters = challenge_->parameters;
  auto service = parameters.contains("service") ? parameters.at("service") : "";
  HttpRequest request;
  request.url = Url::parse(parameters.at("realm"));
  require_safe(request.url);
  if (credentials_ && !credentials_->identity_token.empty()) {
    request.method = "POST";
    request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    http::Query form;
    form.add("grant_type", "refresh_token");
    form.add("service", service);
    form.add("client_id", kClient);
    form.add("refresh_token", credentials_->identity_token);
    form.add("scope", joined(scopes));
    request.body = form.encode();
    return request;
  }
  http::Query query;
  if (!service.empty()) query.add("service", service);
  for (const auto& scope : scopes) query.add("scope", scope);
  if (auto user = basic(); !user.empty()) {
    query.add("account", credentials_->username);
    query.add("client_id", kClient);
    query.add("offline_token", "true");
    request.headers.emplace_back("Authorization", user);
  }
  auto text = query.encode();
  if (!text.empty()) request.url.target += (request.url.target.find('?') == std::string::npos ? "?" : "&") + text;
  return request;
}

Authorization::Token Authorization::fetch(const std::vector<std::string>& scopes) {
  auto answer = transport_.exchange(token_request(scopes));
  if (answer.status != 200) {
    auto refused = refusal(answer, "sign-in at " + registry_, registry_, has_credentials());
    if (is_temporary(answer.status)) throw TransportError(std::move(refused), TransportError::Cause::lost);
    throw refused;
  }
  TokenAnswer parsed;
  try {
    parsed = json::from_text<TokenAnswer>(answer.body, "token");
  } catch (const Error&) {
    throw Error(ErrorKind::unavailable, "sign-in at " + registry_ + ": the answer of its token server cannot be read");
  }
  const auto& value = parsed.token.empty() ? parsed.access_token : parsed.token;
  bool visible = std::all_of(value.begin(), value.end(), [](unsigned char c) { return c > 0x20 && c < 0x7f; });
  if (value.empty() || !visible)
    throw Error(ErrorKind::unavailable, "sign-in at " + registry_ + ": its token server gave no token");
  if (!parsed.refresh_token.empty()) refresh_token_ = parsed.refresh_token;
  auto life =
      std::max(std::chrono::seconds(std::clamp<std::int64_t>(parsed.expires_in.value_or(0), 0, 86'400)), kShortestLife);
  return {value, Clock::now() + life - kMargin};
}

}  // namespace gantry::registry
