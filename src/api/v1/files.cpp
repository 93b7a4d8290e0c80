#include "../body_pipe.h"
#include "routes.h"

/// Files of containers as tar streams.
namespace gantry::api::v1 {
namespace {

constexpr char kTar[] = "application/x-tar";

ContainerId target(Services& services, const Call& call) { return services.engine().resolve(call.parameter("id")); }

std::string path_of(const Call& call) {
  auto path = call.query().get("path", "");
  if (path.empty())
    throw Error(ErrorKind::invalid, "query parameter path is missing", "name the path in the container");
  return path;
}

// The head goes out with the first piece, so that what is not there is an ordinary error.
struct TarAnswer {
  http::Exchange& exchange;
  task<> begin() {
    if (!exchange.answered()) co_await exchange.start_stream(200, kTar);
  }
  task<> write(std::string piece) {
    co_await begin();
    co_await exchange.write(std::move(piece));
  }
};

task<> stat(Services& services, Call call) {
  auto status = co_await services.engine().archive_stat(target(services, call), path_of(call));
  co_await answer(call.exchange, 200, status);
}

task<> get(Services& services, Call call) {
  TarAnswer out{call.exchange};
  engine::ArchiveHead head = [](image::PathStat) -> task<> { co_return; };
  engine::ArchiveSink sink = [&out](std::string piece) { return out.write(std::move(piece)); };
  co_await services.engine().archive_get(target(services, call), path_of(call), std::move(head), std::move(sink));
}

task<> put(Services& services, Call call) {
  auto id = target(services, call);
  auto path = path_of(call);
  engine::ArchivePut options;
  options.no_overwrite_dir_non_dir = flag(call.query(), "keep_kinds");
  options.copy_uid_gid = flag(call.query(), "container_owner");
  std::function<task<>(std::shared_ptr<Fd>)> work = [&](std::shared_ptr<Fd> tar) {
    return services.engine().archive_put(id, path, std::move(tar), options);
  };
  co_await with_body_task(call.exchange, std::move(work));
  co_await answer_nothing(call.exchange);
}

task<> whole(Services& services, Call call) {
  TarAnswer out{call.exchange};
  engine::ArchiveSink sink = [&out](std::string piece) { return out.write(std::move(piece)); };
  co_await services.engine().export_tree(target(services, call), std::move(sink));
}

task<> changes(Services& services, Call call) {
  auto found = co_await services.engine().changes(target(services, call));
  co_await answer(call.exchange, 200, found);
}

struct CommitBody {
  std::string reference;
  std::string author;
  std::string comment;
  std::vector<std::string> changes;
  bool pause = true;
};
BOOST_DESCRIBE_STRUCT(CommitBody, (), (reference, author, comment, changes, pause))

task<> commit(Services& services, Call call) {
  auto id = target(services, call);
  auto body = co_await body_as<CommitBody>(call.exchange);
  engine::CommitOptions options;
  options.reference = body.reference;
  options.author = body.author;
  options.comment = body.comment;
  options.changes = body.changes;
  options.pause = body.pause;
  auto work = services.engine().commit(id, std::move(options));
  auto made = co_await shield<image::ImageInfo>(services.changes, "commit a container", std::move(work));
  publish(services, "image", "commit", made.id, body.reference);
  co_await answer(call.exchange, 201, made);
}

}  // namespace

std::vector<Route> file_routes(Services& s) {
  constexpr auto kReads = Effect::reads;
  constexpr auto kChanges = Effect::changes;
  return {
      {"GET", "/v1/containers/{id}/files/stat", "container.files", kReads, {"path"}, with(s, stat)},
      {"GET", "/v1/containers/{id}/files", "container.files", kReads, {"path"}, with(s, get)},
      {"PUT",
       "/v1/containers/{id}/files",
       "container.files",
       kChanges,
       {"path", "keep_kinds", "container_owner"},
       with(s, put)},
      {"GET", "/v1/containers/{id}/changes", "container.files", kReads, {}, with(s, changes)},
      {"POST", "/v1/containers/{id}/commit", "image.commit", kChanges, {}, with(s, commit)},
      {"GET", "/v1/containers/{id}/export", "container.files", kReads, {}, with(s, whole)},
  };
}

}  // namespace gantry::api::v1
