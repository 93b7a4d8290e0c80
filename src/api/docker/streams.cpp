#include <array>

#include "../stdio_bridge.h"
#include "body.h"
#include "escape.h"
#include "routes.h"
#include "websocket.h"

/// Logs, attach and terminals.
namespace gantry::api::docker {
namespace {

/// Writes log records as Docker does: frames, or raw with a terminal; each line with its time when asked.
class LogWriter {
 public:
  /// `details`, when they are asked for, stand before each line.
  LogWriter(std::function<task<>(std::string)> write, bool framed, bool timestamps,
            std::optional<std::string> details = std::nullopt)
      : write_(std::move(write)), framed_(framed), timestamps_(timestamps), details_(std::move(details)) {}

  task<> write(engine::LogRecord record) {
    if (record.data.empty()) co_return;
    auto& inside = inside_line_[record.stream == StdStream::err ? 1 : 0];
    if (details_ && !inside) record.data.insert(0, *details_ + " ");
    if (timestamps_ && !inside) record.data.insert(0, to_rfc3339(record.time) + " ");
    inside = record.data.back() != '\n';
    auto data = framed_ ? http::frame(record.stream, record.data) : std::move(record.data);
    co_await write_(std::move(data));
  }

 private:
  std::function<task<>(std::string)> write_;
  bool framed_;
  bool timestamps_;
  std::optional<std::string> details_;
  std::array<bool, 2> inside_line_{};
};

std::optional<std::size_t> tail_of(const http::Query& query) {
  auto text = query.get("tail", "all");
  if (text.empty() || text == "all" || text.starts_with('-')) return std::nullopt;
  // Docker takes what is no number for all.
  if (text.size() > 9 || text.find_first_not_of("0123456789") != std::string::npos) return std::nullopt;
  return std::stoul(text);
}

/// "env=a%20b,label=c": what the log options name of the container, as Docker writes it.
std::optional<std::string> details_of(Services& services, const ContainerId& id, const http::Query& query) {
  if (!docker_flag(query, "details")) return std::nullopt;
  std::string out;
  for (const auto& [name, value] : services.engine().details(id).log_details)
    out += (out.empty() ? "" : ",") + http::encode_segment(name) + "=" + http::encode_segment(value);
  return out;
}

std::string stream_type(const Call& call, bool framed) {
  return std::string(framed && minor_of(call) >= 42 ? http::kMultiplexedStream : http::kRawStream);
}

task<> logs(Services& services, Call call) {
  const auto& query = call.query();
  auto id = target(services, call);
  engine::LogQuery wanted;
  wanted.follow = docker_flag(query, "follow");
  wanted.tail = tail_of(query);
  wanted.since = docker_time(query, "since");
  wanted.until = docker_time(query, "until");
  wanted.out = docker_flag(query, "stdout");
  wanted.err = docker_flag(query, "stderr");
  if (!wanted.out && !wanted.err)
    throw Error(ErrorKind::invalid, "Bad parameters: you must choose at least one stream");
  services.engine().require_logs(id);
  bool framed = !services.engine().inspect(id).spec.tty;
  auto* exchange = &call.exchange;
  auto write = [exchange](std::string data) { return exchange->write(std::move(data)); };
  LogWriter writer(write, framed, docker_flag(query, "timestamps"), details_of(services, id, query));
  auto begin = [&call, framed]() { return call.exchange.start_stream(200, stream_type(call, framed)); };
  auto begun = begin();
  co_await std::move(begun);
  auto sink = [&writer](engine::LogRecord record) { return writer.write(std::move(record)); };
  co_await services.engine().logs(id, wanted, sink);
}

/// An attach as it was asked for, before the connection is taken over.
struct Attach {
  Attach(Services& services, const Call& call) : query(call.query()), id(target(services, call)) {
    DetachKeys keys(query.get("detachKeys"));
    auto info = services.engine().inspect(id);
    if (info.state == engine::State::paused)
      throw Error(ErrorKind::conflict, "container " + id.str() + " is paused, unpause the container before attach");
    options = {.in = docker_flag(query, "stdin") && info.spec.open_stdin,
               .out = docker_flag(query, "stdout"),
               .err = docker_flag(query, "stderr"),
               .framed = !info.spec.tty,
               .close_input = info.spec.stdin_once && !info.spec.tty};
    if (info.spec.tty) options.typed = detached_by(std::move(keys));
    stream = docker_flag(query, "stream");
    replay = docker_flag(query, "logs");
    if (!stream && !replay) throw Error(ErrorKind::invalid, "either the stream or the logs parameter must be set");
  }

  const http::Query& query;
  ContainerId id;
  AttachOptions options;
  bool stream = false;
  bool replay = false;
};

task<> run_attach(Services& services, Attach asked, std::shared_ptr<StdioSession> session,
                  std::shared_ptr<http::ByteStream> client) {
  if (asked.replay) {
    engine::LogQuery wanted;
    wanted.out = asked.options.out;
    wanted.err = asked.options.err;
    auto write = [client](std::string data) { return client->write(std::move(data)); };
    LogWriter writer(write, asked.options.framed, false);
    auto sink = [&writer](engine::LogRecord record) { return writer.write(std::move(record)); };
    co_await services.engine().logs(asked.id, wanted, sink);
  }
  if (!session) {
    client->shutdown_write();
    co_return;
  }
  auto told = services.engine().container_event(asked.id, "attach");
  services.engine().publish(std::move(told));
  bool detached = co_await connect(client, session, asked.options);
  if (!detached) co_return;
  auto left = services.engine().container_event(asked.id, "detach");
  services.engine().publish(std::move(left));
}

task<> attach(Services& services, Call call) {
  Attach asked(services, call);
  std::shared_ptr<StdioSession> session;
  if (asked.stream) session = co_await services.engine().attach(asked.id);
  auto type = stream_type(call, asked.options.framed);
  auto client = co_await call.exchange.hijack(std::move(type));
  co_await run_attach(services, std::move(asked), session, client);
}

/// The same over WebSocket: raw in both directions, as messages.
task<> attach_websocket(Services& services, Call call) {
  Attach asked(services, call);
  asked.options.framed = false;
  // Up to 1.41 the parameters for single streams were ignored.
  if (minor_of(call) < 42) {
    asked.options.in = services.engine().inspect(asked.id).spec.open_stdin;
    asked.options.out = asked.options.err = true;
  }
  call.exchange.require_upgrade("websocket");
  auto key = call.exchange.request().headers.get("Sec-WebSocket-Key");
  if (key.empty()) throw Error(ErrorKind::invalid, "Sec-WebSocket-Key is missing");
  std::shared_ptr<StdioSession> session;
  if (asked.stream) session = co_await services.engine().attach(asked.id);
  call.exchange.set_header("Sec-WebSocket-Accept", websocket_accept(key));
  auto connection = co_await call.exchange.upgrade("websocket", "");
  auto client = websocket_stream(connection);
  co_await run_attach(services, std::move(asked), session, client);
}

task<> resize_terminal(Services& services, Call call) {
  auto id = target(services, call);
  auto size = terminal_size(call.query());
  auto state = services.engine().inspect(id).state;
  if (state != engine::State::running && state != engine::State::stopping && state != engine::State::paused)
    throw Error(ErrorKind::conflict, "cannot resize a stopped container: " + id.str());
  co_await services.engine().resize(id, size);
  auto told = services.engine().container_event(id, "resize");
  told.attributes["height"] = std::to_string(size.rows);
  told.attributes["width"] = std::to_string(size.columns);
  services.engine().publish(std::move(told));
  co_await call.exchange.respond(200, "", "");
}

}  // namespace

std::vector<Route> stream_routes(Services& s) {
  return {
      {"GET", "/containers/{id}/logs", "container.logs", Effect::reads, {}, with(s, logs)},
      {"POST", "/containers/{id}/attach", "container.attach", Effect::changes, {}, with(s, attach)},
      {"GET", "/containers/{id}/attach/ws", "container.attach", Effect::changes, {}, with(s, attach_websocket)},
      {"POST", "/containers/{id}/resize", "container.attach", Effect::reads, {}, with(s, resize_terminal)},
  };
}

}  // namespace gantry::api::docker
