#include <sys/uio.h>

#include "../body_source.h"
#include "ranges.h"
#include "replies.h"

namespace gantry::api::registry_front {
namespace {

// What costs less to copy than to hand to another thread.
constexpr std::size_t kSmall = 64u << 10;
// What the metrics are told of at once.
constexpr std::uint64_t kSlice = 16u << 20;
constexpr char kBytes[] = "application/octet-stream";

// What is in the page cache; nullopt: it must be waited for.
std::optional<std::string> read_cached(int fd, ByteRange range) {
  std::string out(range.size, '\0');
  iovec place{out.data(), out.size()};
  ssize_t n = ::preadv2(fd, &place, 1, static_cast<off_t>(range.first), RWF_NOWAIT);
  if (n != static_cast<ssize_t>(out.size())) return std::nullopt;
  return out;
}

task<> send_file(Context& context, http::Exchange& exchange, std::shared_ptr<Fd> file, ByteRange range) {
  std::optional<std::string> cached;
  if (range.size <= kSmall) cached = read_cached(file->get(), range);
  if (cached) {
    co_await exchange.write(std::move(*cached));
    context.metrics.sent += range.size;
    co_return;
  }
  for (std::uint64_t sent = 0; sent < range.size;) {
    auto slice = std::min(kSlice, range.size - sent);
    co_await exchange.write_file(file, range.first + sent, slice, context.pool);
    sent += slice;
    context.metrics.sent += slice;
  }
}

task<> send_made(Context& context, http::Exchange& exchange, distribution::Blob::Produce produce, ByteRange range) {
  auto write = [produce = std::move(produce), range](const ByteSink& sink) { produce(range.first, range.size, sink); };
  co_await stream_out(exchange, context.transfers, kBytes, std::move(write));
  context.metrics.sent += range.size;
}

struct Found {
  std::optional<distribution::Place> place;  ///< at another registry, which has to be asked
  std::optional<distribution::Blob> blob;
};

task<distribution::Blob> open(Context& context, std::string name, std::string registry, std::string digest) {
  auto look = [&context, name, registry, digest] {
    auto place = context.mirror.find(name, registry);
    if (!place) return Found{std::nullopt, context.distribution.open_blob(name, digest)};
    auto here = context.mirror.stored_blob(*place, digest);
    return here ? Found{std::nullopt, std::move(here)} : Found{place, std::nullopt};
  };
  auto found = co_await context.pool.run(std::move(look));
  if (found.blob) co_return std::move(*found.blob);
  auto ask = [&context, place = *found.place, digest] { return context.mirror.blob(place, digest); };
  auto blob = co_await apart(context, std::move(ask));
  co_return blob;
}

task<> get_blob(Context& context, Call call) {
  auto blob = co_await open(context, call.parameter("name"), registry_meant(call), call.parameter("digest"));
  auto& exchange = call.exchange;
  auto asked = parse_range(exchange.request().headers.find("Range"), blob.size());
  auto range = asked.value_or(ByteRange{0, blob.size()});
  exchange.set_header("Docker-Content-Digest", call.parameter("digest"));
  exchange.set_header("ETag", "\"" + call.parameter("digest") + "\"");
  exchange.set_header("Accept-Ranges", "bytes");
  if (asked)
    exchange.set_header("Content-Range", "bytes " + std::to_string(range.first) + "-" +
                                             std::to_string(range.first + range.size - 1) + "/" +
                                             std::to_string(blob.size()));
  co_await exchange.start_body(asked ? 206 : 200, kBytes, range.size);
  if (range.size == 0) co_return;
  if (blob.file())
    co_await send_file(context, exchange, blob.file(), range);
  else
    co_await send_made(context, exchange, blob.produce(), range);
}

task<> head_blob(Context& context, Call call) {
  auto name = call.parameter("name");
  auto digest = call.parameter("digest");
  auto look = [&context, name, registry = registry_meant(call)] { return context.mirror.find(name, registry); };
  auto place = co_await context.pool.run(std::move(look));
  std::optional<std::uint64_t> size;
  if (place) {
    auto ask = [&context, place, digest] { return context.mirror.blob_size(*place, digest); };
    size = co_await apart(context, std::move(ask));
  } else {
    auto ask = [&context, name, digest] { return context.distribution.blob_size(name, digest); };
    size = co_await context.pool.run(std::move(ask));
  }
  if (!size)
    throw distribution::RegistryError(distribution::Code::BLOB_UNKNOWN, ErrorKind::not_found,
                                      "the repository has no such blob");
  call.exchange.set_header("Docker-Content-Digest", call.parameter("digest"));
  call.exchange.set_header("Accept-Ranges", "bytes");
  co_await call.exchange.start_body(200, kBytes, *size);
}

task<> delete_blob(Context& context, Call call) {
  auto work = [&context, name = call.parameter("name"), digest = call.parameter("digest")] {
    context.distribution.delete_blob(name, digest);
  };
  co_await context.pool.run(std::move(work));
  co_await call.exchange.respond(202, "", "");
}

}  // namespace

std::vector<Route> blob_routes(Context& context) {
  const std::string path = "/v2/{name...}/blobs/{digest}";
  return {{"GET", path, "distribution.pull", Effect::reads, {}, with(context, get_blob)},
          {"HEAD", path, "distribution.pull", Effect::reads, {}, with(context, head_blob)},
          {"DELETE", path, "distribution.delete", Effect::changes, {}, with(context, delete_blob)}};
}

}  // namespace gantry::api::registry_front
