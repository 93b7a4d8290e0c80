#include "pull.h"

#include <fmt/format.h>

#include <set>

#include "api.h"
#include "credentials.h"

namespace gantry::cli {
namespace {

// The daemon's words for steps, as people read them.
std::string shown(const std::string& status) {
  static const std::map<std::string, std::string, std::less<>> kWords{
      {"resolving", "looking up"}, {"preparing", "preparing"},   {"waiting", "waiting"},
      {"exists", "is there"},      {"mounted", "taken over"},    {"receiving", "pulling"},
      {"sending", "pushing"},      {"retrying", "trying again"}, {"finishing", "writing to disk"},
      {"complete", "done"},
  };
  auto found = kWords.find(status);
  return found == kWords.end() ? status : found->second;
}

}  // namespace

ProgressItem transfer_item(const boost::json::value& value) {
  ProgressItem item;
  auto status = json::from<std::string>(value.at("status"));
  item.id = json::from<std::string>(value.at("id"));
  item.status = shown(status);
  item.detail = json::from<std::string>(value.at("detail"));
  bool counts = status == "receiving" || status == "sending";
  if (counts) item.current = json::from<std::uint64_t>(value.at("current"));
  if (counts) item.total = json::from<std::uint64_t>(value.at("total"));
  bool done = status == "exists" || status == "mounted" || status == "complete" || status == "resolving";
  item.mark = done ? Mark::done : Mark::active;
  return item;
}

std::string parse_pull_policy(const std::string& text, std::string_view option) {
  if (text == "missing" || text == "always" || text == "never") return text;
  throw Error(ErrorKind::invalid, fmt::format("{} '{}': expected missing, always or never", option, text));
}

task<boost::json::value> pull_image(Context& context, PullOptions options, Progress& progress) {
  boost::json::object body;
  body["reference"] = options.reference;
  body["policy"] = options.policy;
  if (options.platform) body["platform"] = *options.platform;
  http::ClientRequest post;
  post.method = "POST";
  post.path = "/v1/images/pull";
  post.body = boost::json::serialize(body);
  if (auto login = CredentialFile(context.environment).find(registry_of(options.reference)))
    post.headers.add("X-Registry-Auth", auth_header(*login));
  auto step = [&progress](const boost::json::value& value) { progress.update(transfer_item(value)); };
  auto response = co_await context.client.open(std::move(post));
  co_return co_await api::follow(std::move(response), step);
}

task<std::optional<Error>> missing_image(const http::Client& client, std::string reference) {
  std::optional<Error> missed;
  try {
    co_await api::get(client, api::path("images", reference));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
    missed = error;
  }
  co_return missed;
}

task<bool> image_exists(const http::Client& client, std::string reference) {
  auto missed = co_await missing_image(client, std::move(reference));
  co_return !missed.has_value();
}

task<> pull_missing(Context& context, PullOptions options, Error missed, Progress& progress) {
  std::optional<Error> failed;
  try {
    co_await pull_image(context, std::move(options), progress);
  } catch (const Error& error) {
    failed = error;
  }
  if (!failed) co_return;
  if (failed->kind() == ErrorKind::cancelled) throw Error(*failed);
  auto fix = failed->fix();
  if (!missed.fix().empty()) fix += (fix.empty() ? "" : "; or ") + missed.fix();
  throw Error(failed->kind(), missed.message() + ", and could not be pulled: " + failed->message(), fix);
}

task<> pull_images(Context& context, compose::Stack stack, std::string policy, Progress& progress) {
  std::set<std::string> seen;
  for (const auto& [name, service] : stack.services) {
    if (service.build || !seen.insert(service.image).second) continue;
    bool always = policy.empty() ? service.pull_policy == compose::PullPolicy::always : policy == "always";
    bool never = policy.empty() ? service.pull_policy == compose::PullPolicy::never : policy == "never";
    if (never) continue;
    PullOptions options;
    options.reference = service.image;
    try {
      std::optional<Error> missed;
      if (!always) missed = co_await missing_image(context.client, service.image);
      if (always) co_await pull_image(context, std::move(options), progress);
      if (missed) co_await pull_missing(context, std::move(options), *missed, progress);
    } catch (Error& error) {
      throw error.within("service " + name);
    }
  }
}

}  // namespace gantry::cli
