#include "api.h"

namespace gantry::cli::api {
namespace {

boost::json::value parse_answer(const std::string& text) {
  return text.empty() ? boost::json::value(nullptr) : json::parse(text, "the daemon's answer");
}

task<boost::json::value> call(const http::Client& client, http::ClientRequest request) {
  auto text = co_await client.call(std::move(request));
  co_return parse_answer(text);
}

http::ClientRequest request(std::string method, std::string path, http::Query query) {
  http::ClientRequest out;
  out.method = std::move(method);
  out.path = std::move(path);
  out.query = std::move(query);
  return out;
}

}  // namespace

task<boost::json::value> get(const http::Client& client, std::string path, http::Query query) {
  return call(client, request("GET", std::move(path), std::move(query)));
}

task<> post(const http::Client& client, std::string path, http::Query query) {
  auto prepared = request("POST", std::move(path), std::move(query));
  co_await client.call(std::move(prepared));
}

task<boost::json::value> post_json(const http::Client& client, std::string path, boost::json::value body,
                                   http::Query query) {
  auto prepared = request("POST", std::move(path), std::move(query));
  prepared.body = boost::json::serialize(body);
  return call(client, std::move(prepared));
}

task<boost::json::value> remove(const http::Client& client, std::string path, http::Query query) {
  return call(client, request("DELETE", std::move(path), std::move(query)));
}

task<boost::json::value> follow(http::Response response, std::function<void(const boost::json::value&)> step) {
  for (;;) {
    auto line = co_await response.read_line();
    if (!line)
      throw Error(ErrorKind::unavailable, "the daemon's answer broke off",
                  "look at 'gantry doctor' and the daemon's log");
    if (line->empty()) continue;
    auto value = json::parse(*line, "the daemon's answer");
    const auto* object = value.if_object();
    if (object == nullptr) throw Error(ErrorKind::internal, "the daemon's answer is no object: " + *line);
    if (const auto* result = object->if_contains("result")) co_return *result;
    if (const auto* now = object->if_contains("step")) step(*now);
  }
}

}  // namespace gantry::cli::api
