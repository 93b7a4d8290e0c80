#include "front.h"

#include <charconv>

#include "routes.h"

namespace gantry::api::docker {
namespace {

/// "v1.41" is {1, 41}; nullopt for what is no version.
std::optional<std::pair<int, int>> parse_version(std::string_view segment) {
  if (segment.size() < 4 || segment[0] != 'v') return std::nullopt;
  auto dot = segment.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  std::pair<int, int> version;
  auto read = [](std::string_view text, int& out) {
    auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), out);
    return failed == std::errc() && end == text.data() + text.size() && out >= 0;
  };
  if (!read(segment.substr(1, dot - 1), version.first) || !read(segment.substr(dot + 1), version.second))
    return std::nullopt;
  return version;
}

std::string text_of(std::pair<int, int> version) {
  return std::to_string(version.first) + "." + std::to_string(version.second);
}

/// Older than what is announced: skopeo up to 1.12 (Debian 12) asks for 1.22 whatever the server says, and what it asks
/// for has not changed since.
constexpr int kOldestAccepted = 22;

/// Takes the version off, and refuses those that are not spoken here.
http::Target without_version(const http::Target& target) {
  auto out = target;
  if (target.segments.empty()) return out;
  auto version = parse_version(target.segments.front());
  if (!version) return out;
  if (*version > std::pair(1, kNewestMinor))
    throw Error(ErrorKind::invalid, "client version " + text_of(*version) +
                                        " is too new. Maximum supported API version is " + text_of({1, kNewestMinor}));
  if (*version < std::pair(1, kOldestAccepted))
    throw Error(ErrorKind::invalid, "client version " + text_of(*version) +
                                        " is too old. Minimum supported API version is " + text_of({1, kOldestMinor}) +
                                        ", please upgrade your client to a newer version");
  out.segments.erase(out.segments.begin());
  out.path.clear();
  for (const auto& segment : out.segments) out.path += "/" + segment;
  return out;
}

int status_of(std::exception_ptr failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const http::StatusError& error) {
    return error.status();
  } catch (...) {
    return http_status(to_error(failure).kind());
  }
}

std::string message_of(const Error& error) {
  auto text = error.message();
  for (const auto& finding : error.findings()) {
    text += "\n";
    if (!finding.place.file.empty()) text += finding.place.file + ":" + std::to_string(finding.place.line) + ": ";
    text += finding.message;
  }
  if (!error.fix().empty()) text += " (" + error.fix() + ")";
  return text;
}

}  // namespace

int minor_of(const Call& call) {
  const auto& segments = call.exchange.request().target.segments;
  auto version = segments.empty() ? std::nullopt : parse_version(segments.front());
  return version ? version->second : kNewestMinor;
}

Front::Front(Services& services, const Authenticator& authenticator, const Authorizer& authorizer, AuditLog& audit)
    : server_("Gantry/" + services.parts.daemon.version + " (linux)"),
      gate_(Router(routes(services)), authenticator, authorizer, audit,
            {.normalize = without_version, .refuses_unknown_queries = false}) {}

task<> Front::handle(http::Exchange& exchange) const {
  exchange.set_header("Api-Version", text_of({1, kNewestMinor}));
  exchange.set_header("Docker-Experimental", "false");
  exchange.set_header("Ostype", "linux");
  exchange.set_header("Server", server_);
  std::exception_ptr failure;
  try {
    co_await gate_.handle(exchange);
  } catch (...) {
    failure = std::current_exception();
  }
  if (!failure) co_return;
  auto error = to_error(failure);
  if (exchange.answered() || error.kind() == ErrorKind::cancelled) std::rethrow_exception(failure);
  if (error.kind() == ErrorKind::internal)
    log::error("{} {}: {}", exchange.request().method, exchange.request().target.path, error.message());
  boost::json::object body{{"message", message_of(error)}};
  auto text = boost::json::serialize(body) + "\n";
  co_await exchange.respond(status_of(failure), std::string(http::kJson), std::move(text));
}

}  // namespace gantry::api::docker
