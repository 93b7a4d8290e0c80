#include "answers.h"

#include <boost/describe.hpp>

#include <time.h>

#include <charconv>
#include <vector>

#include "gantry/base/json.h"

namespace gantry::registry {
namespace {

struct OneError {
  std::string code, message;
};
BOOST_DESCRIBE_STRUCT(OneError, (), (code, message))

struct ErrorAnswer {
  std::vector<OneError> errors;
  std::string details, message, error_description;  // what token servers send
};
BOOST_DESCRIBE_STRUCT(ErrorAnswer, (), (errors, details, message, error_description))

std::string reason(const HttpAnswer& answer) {
  std::string text;
  try {
    auto parsed = json::from_text<ErrorAnswer>(answer.body, "answer");
    for (const auto& error : parsed.errors)
      text += (text.empty() ? "" : "; ") + (error.message.empty() ? error.code : error.message);
    if (text.empty()) text = parsed.details + parsed.message + parsed.error_description;
  } catch (const Error&) {
    // A proxy's page, most likely; the status says more than its HTML.
    if (answer.body.find('<') == std::string::npos) text = answer.body;
  }
  return printable(text);
}

ErrorKind kind_of(int status) {
  switch (status) {
    case 401:
      return ErrorKind::unauthenticated;
    case 403:
      return ErrorKind::denied;
    case 404:
      return ErrorKind::not_found;
    case 405:
    case 415:
    case 501:
      return ErrorKind::unsupported;
    case 429:
      return ErrorKind::exhausted;
    default:
      return status >= 500 || status == 408 ? ErrorKind::unavailable : ErrorKind::invalid;
  }
}

std::string fix_for(int status, const std::string& registry, bool signed_in) {
  auto login = "'gantry login " + registry + "'";
  if (status == 401) return signed_in ? "check user and password: " + login : "sign in with " + login;
  if (status == 403)
    return signed_in ? "ask for access, or sign in as somebody else with " + login : "sign in with " + login;
  if (status == 404)
    return signed_in ? "check the name" : "check the name, or sign in with " + login + " if it is private";
  if (status == 429)
    return signed_in ? "try again later, or set a mirror" : "try again later, or sign in with " + login;
  return status >= 500 ? "try again later" : "";
}

}  // namespace

std::string printable(std::string_view text, std::size_t limit) {
  std::string out;
  for (unsigned char c : text.substr(0, limit)) out += c < 0x20 || c == 0x7f ? ' ' : static_cast<char>(c);
  while (!out.empty() && (out.back() == ' ' || out.back() == '.')) out.pop_back();
  if (text.size() > limit) out += "...";
  return out;
}

Error refusal(const HttpAnswer& answer, const std::string& what, const std::string& registry, bool signed_in) {
  auto why = reason(answer);
  std::string said = answer.status == 429 ? "the registry refuses for now (429, rate limit)"
                                          : "the registry answers " + std::to_string(answer.status);
  return Error(kind_of(answer.status), what + ": " + said + (why.empty() ? "" : ": " + why),
               fix_for(answer.status, registry, signed_in));
}

bool is_temporary(int status) {
  // 507: a disk is not given space within seconds.
  return status == 408 || status == 429 || (status >= 500 && status != 501 && status != 505 && status != 507);
}

std::optional<std::chrono::milliseconds> retry_after(const HttpAnswer& answer) {
  const auto* field = answer.headers.find("Retry-After");
  if (field == nullptr || field->empty()) return std::nullopt;
  long seconds = 0;
  auto [end, failed] = std::from_chars(field->data(), field->data() + field->size(), seconds);
  if (failed == std::errc() && end == field->data() + field->size() && seconds >= 0)
    return std::chrono::seconds(std::min(seconds, 1'000'000l));
  tm parts{};
  if (::strptime(field->c_str(), "%a, %d %b %Y %H:%M:%S GMT", &parts) == nullptr) return std::nullopt;
  auto left = ::timegm(&parts) - ::time(nullptr);
  return std::chrono::seconds(std::clamp<std::int64_t>(left, 0, 1'000'000));
}

std::string next_page(const http::Headers& headers) {
  auto link = headers.get("Link");
  auto open = link.find('<'), close = link.find('>');
  if (open == std::string::npos || close == std::string::npos || close < open) return "";
  return link.substr(open + 1, close - open - 1);
}

}  // namespace gantry::registry
