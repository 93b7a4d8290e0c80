// What clients of the Docker Engine API say: bodies, filters, moments, detach keys, WebSocket frames. Whatever comes is
// either understood or refused with an Error; what is understood can be stored and read again.
#include <algorithm>
#include <cstdlib>

#include "docker/bodies.h"
#include "docker/create.h"
#include "docker/escape.h"
#include "docker/filters.h"
#include "docker/websocket.h"
#include "gantry/base/json.h"

namespace {

using namespace gantry;
using namespace gantry::api::docker;

void require(bool holds) {
  if (!holds) std::abort();
}

void create(std::string_view text) {
  auto value = json::parse(text, "request body");
  if (!value.is_object()) return;
  auto spec = container_spec(Body(value.get_object()), "");
  auto written = json::to_text(spec);
  require(json::to_text(json::from_text<engine::ContainerSpec>(written, "again", json::Unknown::refuse)) == written);
}

void update(std::string_view text) {
  auto value = json::parse(text, "request body");
  if (!value.is_object()) return;
  engine::Resources resources;
  read_resources(Body(value.get_object()), &resources);
  read_restart(Body(value.get_object()));
}

/// The same body as every version of the API understands it.
void versions(std::string_view text) {
  auto value = json::parse(text, "request body");
  if (!value.is_object()) return;
  for (int minor : {24, 29, 39, 43, 51}) {
    auto body = value.get_object();
    forget_newer_members(&body, minor);
    container_spec(Body(body), "name");
  }
}

/// Bodies of other requests: each is read as all of them.
void bodies(std::string_view text) {
  auto value = json::parse(text, "request body");
  if (!value.is_object()) return;
  Body body(value.get_object());
  auto attempt = [](auto read) {
    try {
      read();
    } catch (const Error&) {
    }
  };
  attempt([&] { network_spec(body); });
  attempt([&] { volume_spec(body); });
  attempt([&] { exec_spec(body, 51); });
  attempt([&] { run_config(body); });
  attempt([&] { credentials(body); });
  attempt([&] { read_console_size(body); });
  attempt([&] {
    engine::NetworkAttachment attachment;
    read_attachment(body.object("EndpointConfig"), &attachment);
  });
}

void filters(std::string_view text) {
  http::Query query{{"filters", std::string(text)}};
  Filters filters(query, {"label", "label!", "name", "until", "dangling"});
  filters.match("name", "web");
  filters.match_prefix("name", "web");
  filters.match_pattern("name", "web-1");
  filters.match_labels({{"a", "1"}});
  filters.flag("dangling");
  filters.time("until");
}

/// Everything that is typed either goes on or was part of the sequence.
void keys(std::string_view text) {
  auto cut = std::min(text.find('\n'), text.size());
  DetachKeys keys{std::string(text.substr(0, cut))};
  std::size_t out = 0;
  for (std::size_t at = cut; at < text.size(); ++at) {
    auto passed = keys.pass(text.substr(at, 1));
    if (!passed) return;
    out += passed->size();
  }
  require(out <= text.size() - cut);
}

/// A connection whose client has sent `bytes` and gone.
class Sent : public http::ByteStream {
 public:
  explicit Sent(std::string_view bytes) : bytes_(bytes) {}
  task<std::size_t> read_some(std::span<char> buffer) override {
    auto count = std::min({buffer.size(), bytes_.size(), std::size_t{7}});
    std::copy_n(bytes_.data(), count, buffer.data());
    bytes_.remove_prefix(count);
    co_return count;
  }
  task<> write(std::string) override { co_return; }
  void shutdown_write() override {}
  void close() override {}

 private:
  std::string_view bytes_;
};

task<> read_all(std::shared_ptr<http::ByteStream> stream, std::size_t most) {
  std::string buffer(16, '\0');
  std::size_t total = 0;
  while (auto count = co_await stream->read_some(buffer)) total += count;
  require(total <= most);
}

void websocket(std::string_view text) {
  asio::io_context context;
  std::exception_ptr failure;
  asio::co_spawn(context, read_all(websocket_stream(std::make_shared<Sent>(text)), text.size()),
                 [&](std::exception_ptr ended) { failure = ended; });
  context.run();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace

/// The first byte chooses what the rest is.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    switch (data[0]) {
      case 'c':
        create(rest);
        break;
      case 'u':
        update(rest);
        break;
      case 'o':
        versions(rest);
        break;
      case 'j':
        bodies(rest);
        break;
      case 'f':
        filters(rest);
        break;
      case 't':
        parse_moment(std::string(rest));
        break;
      case 'b':
        parse_bind(std::string(rest));
        break;
      case 'k':
        keys(rest);
        break;
      case 'w':
        websocket(rest);
        break;
      default:
        break;
    }
  } catch (const Error&) {
  }
  return 0;
}
