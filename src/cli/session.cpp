#include "session.h"

#include <unistd.h>

#include <csignal>

#include "api.h"
#include "gantry/base/json.h"
#include "input.h"
#include "parse.h"
#include "terminal.h"

namespace gantry::cli {
namespace {

int fd_of(StdStream stream) { return stream == StdStream::err ? STDERR_FILENO : STDOUT_FILENO; }

/// False: there is no whole frame.
bool take_frame(Session& session) {
  auto chunk = session.frames.next();
  if (!chunk) return false;
  if (chunk->stream == StdStream::note) {
    session.notes.push_back(std::move(chunk->data));
  } else {
    write_stream(fd_of(chunk->stream), chunk->data);
  }
  return true;
}

task<SessionEnd> copy_output(Session& session) {
  std::string buffer(65536, '\0');
  for (;;) {
    while (session.framed && take_frame(session)) {
    }
    auto count = co_await session.stream->read_some(std::span<char>(buffer));
    if (count == 0) break;
    std::string_view bytes(buffer.data(), count);
    if (session.framed) {
      session.frames.feed(bytes);
    } else {
      write_stream(STDOUT_FILENO, bytes);
    }
  }
  if (session.frames.partial()) throw Error(ErrorKind::unavailable, "the connection to the daemon broke off");
  co_return SessionEnd::closed;
}

/// Returns only when the user detached; after the end of input it waits to be cancelled.
task<SessionEnd> copy_input(http::ByteStream& stream, std::string detach_keys) {
  auto executor = co_await asio::this_coro::executor;
  SharedInput input(executor, STDIN_FILENO);
  DetachScanner scanner(std::move(detach_keys));
  for (;;) {
    auto typed = co_await input.read();
    if (typed.empty()) break;
    auto passed = scanner.feed(typed);
    if (!passed.empty()) co_await stream.write(passed);
    if (scanner.detached()) co_return SessionEnd::detached;
  }
  stream.shutdown_write();
  Event never(executor);
  co_await never.wait();
  co_return SessionEnd::detached;
}

/// The program may end while we still write to it: that is not a failure of the session.
task<SessionEnd> copy_input_quietly(http::ByteStream& stream, std::string detach_keys) {
  bool lost = false;
  try {
    co_return co_await copy_input(stream, std::move(detach_keys));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unavailable) throw;
    lost = true;
  }
  auto executor = co_await asio::this_coro::executor;
  Event never(executor);
  if (lost) co_await never.wait();
  co_return SessionEnd::closed;
}

task<SessionEnd> copy_both(Session& session, std::string detach_keys) {
  using namespace asio::experimental::awaitable_operators;
  gantry::detail::Outcome<SessionEnd> output, input;
  auto reading = gantry::detail::settle<SessionEnd>(copy_output(session), &output);
  auto writing =
      gantry::detail::settle<SessionEnd>(copy_input_quietly(*session.stream, std::move(detach_keys)), &input);
  auto winner = co_await (std::move(reading) || std::move(writing));
  auto& first = winner.index() == 0 ? output : input;
  if (first.failure) std::rethrow_exception(first.failure);
  co_return *first.value;
}

task<SessionEnd> copy(Session& session, const SessionOptions& options) {
  if (!options.input) return copy_output(session);
  return copy_both(session, options.tty ? parse_detach_keys(options.detach_keys) : std::string());
}

/// A resize that fails is no reason to end the session: the program may just have ended.
task<> send_size(std::function<task<>(engine::TerminalSize)> resize) {
  auto size = terminal_size(STDOUT_FILENO);
  if (!size) size = terminal_size(STDIN_FILENO);
  if (!size) co_return;
  try {
    co_await resize(*size);
  } catch (const Error&) {
    co_return;
  }
}

}  // namespace

std::string DetachScanner::feed(std::string_view typed) {
  std::string passed;
  for (char c : typed) {
    if (keys_.empty()) return std::string(typed);
    if (c == keys_[matched_]) {
      if (++matched_ == keys_.size()) {
        detached_ = true;
        return passed;
      }
      continue;
    }
    passed += keys_.substr(0, matched_);
    matched_ = c == keys_[0] ? 1 : 0;
    if (matched_ == 0) passed += c;
  }
  return passed;
}

task<Session> open_session(const http::Client& client, std::string path) {
  http::ClientRequest request;
  request.method = "POST";
  request.path = std::move(path);
  http::Headers headers;
  Session session;
  session.stream = co_await client.upgrade(std::move(request), "tcp", &headers);
  session.framed = headers.get("Content-Type") == http::kMultiplexedStream;
  co_return session;
}

task<Session> open_program(const http::Client& client, std::string path, std::string spec, bool trace) {
  http::ClientRequest request;
  request.method = "POST";
  request.path = std::move(path);
  if (trace) request.query.add("trace", "1");
  request.body = std::move(spec);
  request.content_type = std::string(http::kJson);
  Session session;
  session.stream = co_await client.upgrade(std::move(request), "tcp", nullptr);
  session.framed = true;
  std::string buffer(4096, '\0');
  // Output that came with the note waits: the terminal is not raw yet, and would swallow what is typed in answer.
  while (session.notes.empty()) {
    if (take_frame(session)) continue;
    auto count = co_await session.stream->read_some(std::span<char>(buffer));
    if (count == 0) throw Error(ErrorKind::unavailable, "the connection to the daemon broke off");
    session.frames.feed(std::string_view(buffer.data(), count));
  }
  co_return session;
}

std::string id_of(const Session& session) {
  return std::string(json::parse(session.notes.at(0), "the daemon's answer").at("id").as_string());
}

int exit_code_of(const Session& session) {
  const auto& last = session.notes.back();
  if (auto failed = http::error_from_body(last)) throw *failed;
  auto answer = json::parse(last, "the daemon's answer");
  const auto* code = answer.as_object().if_contains("exit_code");
  if (code == nullptr) throw Error(ErrorKind::unavailable, "the connection to the daemon broke off");
  return static_cast<int>(code->to_number<int>());
}

void require_terminal(bool tty, bool input) {
  if (tty && input && !is_terminal(STDIN_FILENO))
    throw Error(ErrorKind::invalid, "standard input is not a terminal", "leave out -t, or run this in a terminal");
}

task<SessionEnd> run_session(Context& context, Session& session, SessionOptions options) {
  auto executor = co_await asio::this_coro::executor;
  Scope resizes(executor);
  std::optional<RawMode> raw;
  if (options.tty && options.input) raw.emplace(STDIN_FILENO);
  auto resize = [&] {
    if (options.tty && options.resize) resizes.spawn("resize", send_size(options.resize));
  };
  auto previous = context.on_signal;
  context.on_signal = [&](int number) {
    if (number == SIGWINCH) resize();
    if (previous) previous(number);
  };
  resize();

  gantry::detail::Outcome<SessionEnd> outcome;
  co_await gantry::detail::settle<SessionEnd>(copy(session, options), &outcome);
  context.on_signal = previous;
  raw.reset();
  co_await resizes.close();
  if (outcome.failure) std::rethrow_exception(outcome.failure);
  co_return *outcome.value;
}

}  // namespace gantry::cli
