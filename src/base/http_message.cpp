#include "gantry/base/http_message.h"

#include <boost/url.hpp>

#include <strings.h>

#include "gantry/base/json.h"

namespace gantry::http {
namespace {

namespace urls = boost::urls;

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

[[noreturn]] void refuse_target(std::string_view why) {
  throw Error(ErrorKind::invalid, "malformed request target: " + std::string(why));
}

std::string checked(std::string text) {
  if (text.find('\0') != std::string::npos) refuse_target("a NUL byte");
  return text;
}

struct ErrorPlace {
  std::string file;
  int line = 0;
  int column = 0;
  std::string message;
};
BOOST_DESCRIBE_STRUCT(ErrorPlace, (), (file, line, column, message))

struct ErrorDocument {
  std::string kind;
  std::string message;
  std::string fix;
  std::vector<ErrorPlace> findings;
};
BOOST_DESCRIBE_STRUCT(ErrorDocument, (), (kind, message, fix, findings))

}  // namespace

const std::string* Headers::find(std::string_view name) const {
  for (const auto& field : fields_)
    if (same_name(field.first, name)) return &field.second;
  return nullptr;
}

std::string Headers::get(std::string_view name, std::string_view otherwise) const {
  const auto* found = find(name);
  return found != nullptr ? *found : std::string(otherwise);
}

const std::string* Query::find(std::string_view name) const {
  for (const auto& pair : pairs_)
    if (pair.first == name) return &pair.second;
  return nullptr;
}

std::string Query::get(std::string_view name, std::string_view otherwise) const {
  const auto* found = find(name);
  return found != nullptr ? *found : std::string(otherwise);
}

std::vector<std::string> Query::all(std::string_view name) const {
  std::vector<std::string> values;
  for (const auto& pair : pairs_)
    if (pair.first == name) values.push_back(pair.second);
  return values;
}

std::string Query::encode() const {
  std::string out;
  for (const auto& [name, value] : pairs_)
    out += (out.empty() ? "" : "&") + encode_segment(name) + "=" + encode_segment(value);
  return out;
}

Target parse_target(std::string_view raw) {
  auto parsed = urls::parse_origin_form(raw);
  if (!parsed) refuse_target(parsed.error().message());
  Target target;
  for (auto segment : parsed->encoded_segments()) {
    target.segments.push_back(checked(segment.decode()));
    target.path += "/" + target.segments.back();
  }
  if (target.path.empty()) target.path = "/";
  // Go's url.Values (every Docker client) writes a space as '+'.
  urls::encoding_opts form;
  form.space_as_plus = true;
  for (auto pair : parsed->encoded_params())
    target.query.add(checked(pair.key.decode(form)), checked(pair.value.decode(form)));
  return target;
}

std::string encode_segment(std::string_view text) { return urls::encode(text, urls::unreserved_chars); }

std::string error_body(const Error& error) {
  ErrorDocument document{std::string(to_string(error.kind())), error.message(), error.fix(), {}};
  for (const auto& finding : error.findings())
    document.findings.push_back({finding.place.file, finding.place.line, finding.place.column, finding.message});
  json::bj::object body;
  body.emplace("error", json::to(document));
  return json::bj::serialize(body);
}

std::optional<Error> error_from_body(std::string_view text) {
  if (text.find("\"error\"") == std::string_view::npos) return std::nullopt;
  try {
    auto value = json::parse(text, "error");
    const auto* object = value.if_object();
    // "message" beside it is the same for clients of other APIs.
    bool known_shape =
        object != nullptr && object->contains("error") && object->size() == (object->contains("message") ? 2u : 1u);
    if (!known_shape) return std::nullopt;
    auto document = json::from<ErrorDocument>(object->at("error"));
    auto kind = error_kind_from(document.kind);
    if (!kind) return std::nullopt;
    std::vector<Finding> findings;
    for (auto& place : document.findings)
      findings.push_back({{std::move(place.file), place.line, place.column}, std::move(place.message)});
    return Error(*kind, std::move(document.message), std::move(findings), std::move(document.fix));
  } catch (const Error&) {
    return std::nullopt;  // some other JSON: the caller decides what it means
  }
}

Error error_from_answer(int status, std::string_view body) {
  if (auto known = error_from_body(body)) return *known;
  std::string text(body.substr(0, 500));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return Error(error_kind_from_http(status),
               "the daemon answered with status " + std::to_string(status) + (text.empty() ? "" : ": " + text));
}

}  // namespace gantry::http
