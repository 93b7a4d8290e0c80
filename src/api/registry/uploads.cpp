#include "ranges.h"
#include "replies.h"

namespace gantry::api::registry_front {
namespace {

constexpr std::size_t kPiece = 1u << 20;

struct Upload {
  std::string name, id;
};

Upload upload_of(const Call& call) { return {call.parameter("name"), call.parameter("id")}; }

// Where to go on.
void point_to(http::Exchange& exchange, const Upload& upload, std::uint64_t offset) {
  exchange.set_header("Location", "/v2/" + upload.name + "/blobs/uploads/" + upload.id);
  exchange.set_header("Range", "0-" + std::to_string(offset == 0 ? 0 : offset - 1));
  exchange.set_header("Docker-Upload-UUID", upload.id);
}

task<> reply_blob(http::Exchange& exchange, std::string name, std::string digest) {
  exchange.set_header("Location", blob_path(name, digest));
  exchange.set_header("Docker-Content-Digest", digest);
  co_await exchange.respond(201, "", "");
}

task<std::uint64_t> append(Context& context, Upload upload, std::optional<std::uint64_t> at, std::string data) {
  context.metrics.received += data.size();
  auto work = [&context, upload, at, data = std::move(data)] {
    return context.distribution.append(upload.name, upload.id, at, data);
  };
  co_return co_await context.pool.run(std::move(work));
}

// What has come stays when the client goes away in the middle: it may go on there.
task<std::uint64_t> take_body(Context& context, http::Exchange& exchange, Upload upload,
                              std::optional<std::uint64_t> at) {
  std::string piece(kPiece, '\0');
  std::uint64_t offset = at.value_or(0);
  for (bool more = true, first = true; more;) {
    std::size_t size = 0;
    std::exception_ptr gone;
    while (size < piece.size()) {
      std::size_t count = 0;
      std::span<char> room(piece.data() + size, piece.size() - size);
      try {
        count = co_await exchange.read_body_some(room);
      } catch (...) {
        gone = std::current_exception();
      }
      if (count == 0) {
        more = false;
        break;
      }
      size += count;
    }
    auto stands = at ? std::optional(offset) : std::nullopt;
    if (size > 0 || first) offset = co_await append(context, upload, stands, piece.substr(0, size));
    if (gone) std::rethrow_exception(gone);
    first = false;
  }
  co_return offset;
}

task<> finish(Context& context, Upload upload, std::string digest) {
  auto work = [&context, upload, digest] { context.distribution.finish_upload(upload.name, upload.id, digest); };
  co_await context.pool.run(std::move(work));
}

task<> monolithic(Context& context, Call call, Upload upload, std::string digest) {
  std::exception_ptr failure;
  try {
    co_await take_body(context, call.exchange, upload, 0);
    co_await finish(context, upload, digest);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    // Nobody knows its id, so nobody could go on.
    auto cancel = [&context, upload] {
      try {
        context.distribution.cancel_upload(upload.name, upload.id);
      } catch (const Error&) {
        // it has ended already
      }
    };
    co_await context.pool.run(std::move(cancel));
    std::rethrow_exception(failure);
  }
  co_await reply_blob(call.exchange, upload.name, digest);
}

task<> begin_upload(Context& context, Call call) {
  auto name = call.parameter("name");
  auto check = [&context, name] { context.mirror.refuse_push(name); };
  co_await context.pool.run(std::move(check));
  auto mount = call.query().get("mount");
  if (!mount.empty()) {
    auto work = [&context, name, mount, from = call.query().get("from")] {
      return context.distribution.mount(name, mount, from);
    };
    if (co_await context.pool.run(std::move(work))) {
      co_await reply_blob(call.exchange, name, mount);
      co_return;
    }
  }
  auto begin = [&context, name] { return context.distribution.begin_upload(name); };
  auto id = co_await context.pool.run(std::move(begin));
  Upload upload{name, id};
  auto digest = call.query().get("digest");
  if (!digest.empty()) {
    co_await monolithic(context, std::move(call), upload, digest);
    co_return;
  }
  point_to(call.exchange, upload, 0);
  co_await call.exchange.respond(202, "", "");
}

task<> upload_status(Context& context, Call call) {
  auto upload = upload_of(call);
  auto ask = [&context, upload] { return context.distribution.upload_offset(upload.name, upload.id); };
  auto offset = co_await context.pool.run(std::move(ask));
  point_to(call.exchange, upload, offset);
  co_await call.exchange.respond(204, "", "");
}

task<> add_chunk(Context& context, Call call) {
  auto upload = upload_of(call);
  auto at = parse_chunk_start(call.exchange.request().headers.find("Content-Range"));
  auto offset = co_await take_body(context, call.exchange, upload, at);
  point_to(call.exchange, upload, offset);
  co_await call.exchange.respond(202, "", "");
}

task<> finish_upload(Context& context, Call call) {
  auto upload = upload_of(call);
  auto digest = call.query().get("digest");
  if (digest.empty())
    throw distribution::RegistryError(distribution::Code::DIGEST_INVALID, ErrorKind::invalid,
                                      "the digest of the blob is missing", "give it as ?digest=sha256:...");
  auto at = parse_chunk_start(call.exchange.request().headers.find("Content-Range"));
  co_await take_body(context, call.exchange, upload, at);
  co_await finish(context, upload, digest);
  co_await reply_blob(call.exchange, upload.name, digest);
}

task<> cancel_upload(Context& context, Call call) {
  auto upload = upload_of(call);
  auto work = [&context, upload] { context.distribution.cancel_upload(upload.name, upload.id); };
  co_await context.pool.run(std::move(work));
  co_await call.exchange.respond(204, "", "");
}

}  // namespace

std::vector<Route> upload_routes(Context& context) {
  const std::string begin = "/v2/{name...}/blobs/uploads";
  const std::string one = begin + "/{id}";
  return {{"POST", begin, "distribution.push", Effect::changes, {}, with(context, begin_upload)},
          {"POST", begin + "/", "distribution.push", Effect::changes, {}, with(context, begin_upload)},
          {"GET", one, "distribution.push", Effect::reads, {}, with(context, upload_status)},
          {"PATCH", one, "distribution.push", Effect::changes, {}, with(context, add_chunk)},
          {"PUT", one, "distribution.push", Effect::changes, {}, with(context, finish_upload)},
          {"DELETE", one, "distribution.push", Effect::changes, {}, with(context, cancel_upload)}};
}

}  // namespace gantry::api::registry_front
