#include "../stdio_bridge.h"
#include "routes.h"

/// Logs and attach: what containers write and read.
namespace gantry::api::v1 {
namespace {

/// Writes log records as frames, with a time before each line when asked. A line may come in several records.
class FrameWriter {
 public:
  FrameWriter(http::Exchange& exchange, bool timestamps) : exchange_(exchange), timestamps_(timestamps) {}

  task<> write(engine::LogRecord record) {
    if (record.data.empty()) co_return;
    auto& inside = inside_line_[record.stream == StdStream::err ? 1 : 0];
    if (timestamps_ && !inside) record.data.insert(0, to_rfc3339(record.time) + " ");
    inside = record.data.back() != '\n';
    auto data = http::frame(record.stream, record.data);
    co_await exchange_.write(std::move(data));
  }

 private:
  http::Exchange& exchange_;
  bool timestamps_;
  std::array<bool, 2> inside_line_{};
};

task<> logs(Services& services, Call call) {
  const auto& query = call.query();
  auto id = services.engine().resolve(call.parameter("id"));
  engine::LogQuery wanted;
  wanted.follow = flag(query, "follow");
  wanted.tail = count(query, "tail");
  wanted.since = timestamp(query, "since");
  wanted.until = timestamp(query, "until");
  wanted.out = flag(query, "stdout", true);
  wanted.err = flag(query, "stderr", true);
  services.engine().require_logs(id);
  FrameWriter writer(call.exchange, flag(query, "timestamps"));
  co_await call.exchange.start_stream(200, std::string(http::kMultiplexedStream));
  auto sink = [&writer](engine::LogRecord record) { return writer.write(std::move(record)); };
  co_await services.engine().logs(id, wanted, sink);
}

task<> attach(Services& services, Call call) {
  auto id = services.engine().resolve(call.parameter("id"));
  call.exchange.require_upgrade("tcp");
  bool framed = !services.engine().inspect(id).spec.tty;
  std::shared_ptr<StdioSession> session = co_await services.engine().attach(id);
  auto type = std::string(framed ? http::kMultiplexedStream : http::kRawStream);
  auto client = co_await call.exchange.upgrade("tcp", std::move(type));
  co_await bridge(client, session, framed);
}

task<> resize_terminal(Services& services, Call call) {
  auto id = services.engine().resolve(call.parameter("id"));
  auto size = co_await body_as<engine::TerminalSize>(call.exchange);
  co_await services.engine().resize(id, size);
  co_await answer_nothing(call.exchange);
}

}  // namespace

std::vector<Route> stream_routes(Services& s) {
  return {
      {"GET",
       "/v1/containers/{id}/logs",
       "container.logs",
       Effect::reads,
       {"follow", "tail", "since", "until", "timestamps", "stdout", "stderr"},
       with(s, logs)},
      {"POST", "/v1/containers/{id}/attach", "container.attach", Effect::changes, {}, with(s, attach)},
      {"POST", "/v1/containers/{id}/resize", "container.attach", Effect::reads, {}, with(s, resize_terminal)},
  };
}

}  // namespace gantry::api::v1
