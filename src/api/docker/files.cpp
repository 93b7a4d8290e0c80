#include <sys/stat.h>

#include "../body_pipe.h"
#include "gantry/base/base64.h"
#include "routes.h"

/// Files of containers: docker cp, diff and export.
namespace gantry::api::docker {
namespace {

namespace bj = boost::json;

constexpr char kTar[] = "application/x-tar";
constexpr char kStatHeader[] = "X-Docker-Container-Path-Stat";

/// The mode as Go's os.FileMode, which is not st_mode.
std::uint32_t go_mode(std::uint32_t mode) {
  std::uint32_t out = mode & 0777;
  if (S_ISDIR(mode)) out |= 1u << 31;
  if (S_ISLNK(mode)) out |= 1u << 27;
  if (S_ISBLK(mode)) out |= 1u << 26;
  if (S_ISCHR(mode)) out |= 1u << 26 | 1u << 21;
  if (S_ISFIFO(mode)) out |= 1u << 25;
  if (S_ISSOCK(mode)) out |= 1u << 24;
  if (mode & S_ISUID) out |= 1u << 23;
  if (mode & S_ISGID) out |= 1u << 22;
  if (mode & S_ISVTX) out |= 1u << 20;
  return out;
}

std::string stat_header(const image::PathStat& stat) {
  bj::object out{{"name", stat.name},
                 {"size", stat.size},
                 {"mode", go_mode(stat.mode)},
                 {"mtime", to_rfc3339(stat.mtime)},
                 {"linkTarget", stat.link_target}};
  return encode_base64(bj::serialize(out));
}

std::string path_of(const Call& call) {
  auto path = call.query().get("path");
  if (path.empty()) throw Error(ErrorKind::invalid, "bad parameter: path cannot be empty");
  return path;
}

/// Docker's words for a path that is not there.
[[noreturn]] void path_failure(const Call& call, const Error& error) {
  if (error.kind() == ErrorKind::not_found)
    throw Error(ErrorKind::not_found,
                "Could not find the file " + path_of(call) + " in container " + call.parameter("id"));
  throw error;
}

task<> stat(Services& services, Call call) {
  auto id = target(services, call);
  std::optional<Error> failure;
  image::PathStat found;
  try {
    found = co_await services.engine().archive_stat(id, path_of(call));
  } catch (const Error& error) {
    failure = error;
  }
  if (failure) path_failure(call, *failure);
  call.exchange.set_header(kStatHeader, stat_header(found));
  co_await call.exchange.respond(200, "", "");
}

task<> get(Services& services, Call call) {
  auto id = target(services, call);
  auto* exchange = &call.exchange;
  engine::ArchiveHead head = [exchange](image::PathStat found) -> task<> {
    exchange->set_header(kStatHeader, stat_header(found));
    co_await exchange->start_stream(200, kTar);
  };
  engine::ArchiveSink sink = [exchange](std::string piece) { return exchange->write(std::move(piece)); };
  std::optional<Error> failure;
  try {
    co_await services.engine().archive_get(id, path_of(call), std::move(head), std::move(sink));
  } catch (const Error& error) {
    failure = error;
  }
  if (!failure) co_return;
  if (exchange->answered()) throw Error(*failure);
  path_failure(call, *failure);
}

task<> put(Services& services, Call call) {
  auto id = target(services, call);
  auto path = path_of(call);
  engine::ArchivePut options;
  options.no_overwrite_dir_non_dir = docker_flag(call.query(), "noOverwriteDirNonDir");
  options.copy_uid_gid = docker_flag(call.query(), "copyUIDGID");
  std::function<task<>(std::shared_ptr<Fd>)> work = [&](std::shared_ptr<Fd> tar) {
    return services.engine().archive_put(id, path, std::move(tar), options);
  };
  std::optional<Error> failure;
  try {
    co_await with_body_task(call.exchange, std::move(work));
  } catch (const Error& error) {
    failure = error;
  }
  if (failure) path_failure(call, *failure);
  co_await call.exchange.respond(200, "", "");
}

task<> changes(Services& services, Call call) {
  auto found = co_await services.engine().changes(target(services, call));
  bj::array out;
  for (const auto& change : found)
    out.push_back(bj::object{{"Path", change.path}, {"Kind", static_cast<int>(change.kind)}});
  bj::value answer = nullptr;  // what Go makes of an empty list here, and clients know
  if (!out.empty()) answer = std::move(out);
  co_await answer_json(call.exchange, 200, std::move(answer));
}

task<> whole(Services& services, Call call) {
  auto id = target(services, call);
  auto* exchange = &call.exchange;
  engine::ArchiveSink sink = [exchange](std::string piece) -> task<> {
    if (!exchange->answered()) co_await exchange->start_stream(200, kTar);
    co_await exchange->write(std::move(piece));
  };
  co_await services.engine().export_tree(id, std::move(sink));
}

}  // namespace

std::vector<Route> file_routes(Services& s) {
  constexpr auto kReads = Effect::reads;
  return {
      {"HEAD", "/containers/{id}/archive", "container.files", kReads, {}, with(s, stat)},
      {"GET", "/containers/{id}/archive", "container.files", kReads, {}, with(s, get)},
      {"PUT", "/containers/{id}/archive", "container.files", Effect::changes, {}, with(s, put)},
      {"GET", "/containers/{id}/changes", "container.files", kReads, {}, with(s, changes)},
      {"GET", "/containers/{id}/export", "container.files", kReads, {}, with(s, whole)},
  };
}

}  // namespace gantry::api::docker
