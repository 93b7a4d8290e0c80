#include "gantry/base/http_client.h"

#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>

#include <fmt/format.h>

#include "http_wire.h"

namespace gantry::http {
namespace {

namespace bh = boost::beast::http;
using boost::system::error_code;
using ResponseParser = bh::response_parser<bh::buffer_body>;

constexpr std::size_t kHeadLimit = 64u << 10;
// Nothing that works takes this long to accept a request; what takes long is the answer, and that has no bound here:
// the daemon's end is seen at once, and the caller cancels.
constexpr std::chrono::seconds kWriteStall{600};

[[noreturn]] void lost() {
  throw Error(ErrorKind::unavailable, "the connection to gantryd was lost",
              "see its log ('journalctl -u gantry'), then try again");
}

Error cannot_connect(const std::filesystem::path& socket, error_code code) {
  auto message =
      "cannot connect to gantryd at " + socket.string() + ": " + system_error(code.value(), "connect").message();
  if (code == boost::system::errc::permission_denied)
    return Error(ErrorKind::denied, message, "run as root, or add yourself to the group 'gantry' and sign in again");
  return Error(ErrorKind::unavailable, message,
               "start it with 'systemctl start gantry' or run 'gantryd'; give another socket with --host");
}

// Synchronous: connecting to a unix socket ends at once, and unlike the asynchronous form it waits when the
// listener's queue is full.
std::shared_ptr<Wire> connect(asio::any_io_executor executor, const std::filesystem::path& path) {
  if (path.native().size() >= 108) throw cannot_connect(path, asio::error::name_too_long);
  Socket socket(executor);
  error_code failed;
  socket.connect(asio::local::stream_protocol::endpoint(path.string()), failed);
  if (failed) throw cannot_connect(path, failed);
  return std::make_shared<Wire>(std::move(socket));
}

std::string head_of(const ClientRequest& request, std::string_view more) {
  auto target = request.path;
  if (auto query = request.query.encode(); !query.empty()) target += "?" + query;
  auto head = fmt::format("{} {} HTTP/1.1\r\nHost: gantry\r\nUser-Agent: gantry\r\n{}", request.method, target, more);
  for (const auto& [name, value] : request.headers.fields()) head += name + ": " + value + "\r\n";
  return head + "\r\n";
}

std::string whole(const ClientRequest& request, std::string_view more) {
  auto fields = std::string(more);
  if (request.body)
    fields += fmt::format("Content-Type: {}\r\nContent-Length: {}\r\n", request.content_type, request.body->size());
  return head_of(request, fields) + request.body.value_or("");
}

/// A refused write is not the end: the daemon may have answered already and closed its reading side.
task<bool> write_unless_closed(std::shared_ptr<Wire> wire, std::string data) {
  try {
    co_await wire->write_all(std::move(data), kWriteStall);
    co_return true;
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unavailable) throw;
    co_return false;
  }
}

}  // namespace

struct Response::Impl {
  std::shared_ptr<Wire> wire;
  std::unique_ptr<ResponseParser> parser;
  Headers headers;
  std::string line;
  std::size_t scanned = 0;

  int status() const { return static_cast<int>(parser->get().result_int()); }
};

namespace {

using Impl = Response::Impl;

/// Reads the head of the next answer (an interim 100 is one too).
task<> read_head(Impl* impl) {
  impl->parser = std::make_unique<ResponseParser>();
  impl->parser->header_limit(kHeadLimit);
  impl->parser->body_limit(boost::none);
  impl->parser->eager(false);
  auto& buffer = impl->wire->buffer;
  while (true) {
    if (buffer.size() > 0) {
      error_code failed;
      buffer.consume(impl->parser->put(buffer.cdata(), failed));
      if (impl->parser->is_header_done()) break;
      if (failed && failed != bh::error::need_more)
        throw Error(ErrorKind::unavailable, "gantryd gave a malformed answer: " + failed.message());
    }
    if (co_await impl->wire->fill(kReadSize, kNoDeadline) == 0) lost();
  }
  impl->headers = Headers();
  for (const auto& field : impl->parser->get())
    impl->headers.add(std::string(field.name_string()), std::string(field.value()));
}

/// The head of the final answer; throws the Error that an answer of status 400 and above means.
task<Response> finish(std::unique_ptr<Impl> impl) {
  do {
    co_await read_head(impl.get());
  } while (impl->status() == 100);
  auto status = impl->status();
  Response response(std::move(impl));
  if (status < 400) co_return response;
  auto body = co_await response.read_all();
  throw error_from_answer(status, body);
}

std::unique_ptr<Impl> begin(std::shared_ptr<Wire> wire) {
  auto impl = std::make_unique<Impl>();
  impl->wire = std::move(wire);
  return impl;
}

task<> send_chunks(std::shared_ptr<Wire> wire, BodyProducer producer) {
  while (true) {
    auto piece = co_await producer();
    bool last = piece.empty();
    auto chunk = fmt::format("{:x}\r\n", piece.size()) + piece + "\r\n";
    if (!co_await write_unless_closed(wire, std::move(chunk)) || last) co_return;
  }
}

}  // namespace

ClientRequest make_request(std::string method, std::string path) {
  ClientRequest request;
  request.method = std::move(method);
  request.path = std::move(path);
  return request;
}

ClientRequest make_request(std::string method, std::string path, std::string json_body) {
  auto request = make_request(std::move(method), std::move(path));
  request.body = std::move(json_body);
  return request;
}

Response::Response(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Response::Response(Response&&) noexcept = default;
Response& Response::operator=(Response&&) noexcept = default;
Response::~Response() = default;

int Response::status() const { return impl_->status(); }
const Headers& Response::headers() const { return impl_->headers; }

task<std::string> Response::read_some() {
  auto& parser = *impl_->parser;
  auto& buffer = impl_->wire->buffer;
  std::string piece(kReadSize, '\0');
  bool starved = false;
  while (!parser.is_done()) {
    if (buffer.size() == 0 || starved) {
      if (co_await impl_->wire->fill(kReadSize, kNoDeadline) == 0) {
        error_code failed;
        parser.put_eof(failed);  // the end of the connection is the end of a body without a length
        if (failed) lost();
        continue;
      }
    }
    parser.get().body().data = piece.data();
    parser.get().body().size = piece.size();
    error_code failed;
    buffer.consume(parser.put(buffer.cdata(), failed));
    auto got = piece.size() - parser.get().body().size;
    starved = failed == bh::error::need_more;
    if (failed && !starved && failed != bh::error::need_buffer)
      throw Error(ErrorKind::unavailable, "gantryd gave a malformed answer: " + failed.message());
    if (got == 0) continue;
    piece.resize(got);
    co_return piece;
  }
  co_return std::string();
}

task<std::optional<std::string>> Response::read_line(std::size_t limit) {
  auto& line = impl_->line;
  while (true) {
    auto end = line.find('\n', impl_->scanned);
    if (end == std::string::npos) {
      impl_->scanned = line.size();
      if (line.size() > limit)
        throw Error(ErrorKind::exhausted, fmt::format("a line of the answer is over {} bytes", limit));
      auto more = co_await read_some();
      if (!more.empty()) {
        line += more;
        continue;
      }
      if (line.empty()) co_return std::nullopt;
      end = line.size();
    }
    auto out = line.substr(0, end);
    line.erase(0, std::min(end + 1, line.size()));
    impl_->scanned = 0;
    if (!out.empty() && out.back() == '\r') out.pop_back();
    if (out.starts_with("{\"error\":"))
      if (auto error = error_from_body(out)) throw *error;
    co_return out;
  }
}

task<std::string> Response::read_all(std::size_t limit) {
  auto body = std::exchange(impl_->line, {});
  while (true) {
    auto piece = co_await read_some();
    if (piece.empty()) co_return body;
    body += piece;
    if (body.size() > limit) throw Error(ErrorKind::exhausted, fmt::format("the answer is over {} bytes", limit));
  }
}

task<Response> Client::open(ClientRequest request) const {
  auto wire = connect(co_await asio::this_coro::executor, socket_);
  co_await write_unless_closed(wire, whole(request, {}));
  co_return co_await finish(begin(wire));
}

task<std::string> Client::call(ClientRequest request) const {
  auto response = co_await open(std::move(request));
  co_return co_await response.read_all();
}

task<Response> Client::upload(ClientRequest request, BodyProducer producer) const {
  auto wire = connect(co_await asio::this_coro::executor, socket_);
  auto fields = "Content-Type: " + request.content_type + "\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n";
  co_await write_unless_closed(wire, head_of(request, fields));
  auto impl = begin(wire);
  co_await read_head(impl.get());
  if (impl->status() == 100) {
    co_await send_chunks(wire, std::move(producer));
    co_return co_await finish(std::move(impl));
  }
  auto status = impl->status();
  Response response(std::move(impl));
  if (status < 400) co_return response;  // the daemon wants no body
  auto body = co_await response.read_all();
  throw error_from_answer(status, body);
}

task<std::unique_ptr<ByteStream>> Client::upgrade(ClientRequest request, std::string protocol, Headers* headers) const {
  auto wire = connect(co_await asio::this_coro::executor, socket_);
  co_await write_unless_closed(wire, whole(request, "Connection: Upgrade\r\nUpgrade: " + protocol + "\r\n"));
  auto response = co_await finish(begin(wire));
  if (response.status() != 101)
    throw Error(ErrorKind::unavailable,
                fmt::format("gantryd did not upgrade the connection (status {})", response.status()));
  if (headers != nullptr) *headers = response.headers();
  std::unique_ptr<ByteStream> stream = std::make_unique<WireStream>(wire);
  co_return stream;
}

}  // namespace gantry::http
