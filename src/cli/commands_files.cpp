#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api.h"
#include "command.h"
#include "copy_plan.h"
#include "gantry/base/process.h"
#include "input.h"
#include "targets.h"

namespace gantry::cli {
namespace {

constexpr char kTarType[] = "application/x-tar";

/// `image::PathStat` as it travels.
struct PathStat {
  std::string name;
  std::uint64_t size = 0;
  std::uint32_t mode = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  Timestamp mtime{};
  std::string link_target;
};
BOOST_DESCRIBE_STRUCT(PathStat, (), (name, size, mode, uid, gid, mtime, link_target))

struct Copy {
  bool archive = false, follow = false;
  std::string source, target;
};

void declare_copy(Options& options, Copy& copy) {
  options.flag("-a,--archive", copy.archive, "keep owners")
      .flag("-L,--follow-link", copy.follow, "copy what a symbolic link named as FROM leads to")
      .required("FROM", copy.source)
      .required("TO", copy.target);
}

task<std::optional<PathStat>> stat_inside(const http::Client& client, std::string id, std::string path) {
  http::Query query;
  query.add("path", path);
  try {
    co_return co_await api::fetch<PathStat>(client, api::path("containers", id, "files", "stat"), query);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::not_found) throw;
  }
  co_return std::nullopt;
}

Kind kind_of(std::uint32_t mode) { return S_ISDIR(mode) ? Kind::directory : Kind::other; }

/// Links at the end are followed: a target is where they lead to.
task<Kind> kind_inside(const http::Client& client, std::string id, std::string path) {
  auto found = co_await stat_inside(client, id, path);
  if (found && S_ISLNK(found->mode)) found = co_await stat_inside(client, id, found->link_target);
  co_return found ? kind_of(found->mode) : Kind::none;
}

Kind kind_here(const std::string& path, bool follow) {
  struct stat info {};
  int failed = follow ? ::stat(path.c_str(), &info) : ::lstat(path.c_str(), &info);
  return failed != 0 ? Kind::none : kind_of(info.st_mode);
}

task<http::Response> download(const http::Client& client, std::string id, std::string path) {
  http::ClientRequest request;
  request.path = api::path("containers", id, "files");
  request.query.add("path", path);
  co_return co_await client.open(std::move(request));
}

task<> upload(Context& context, std::string id, std::string directory, int fd) {
  SharedInput input(co_await asio::this_coro::executor, fd);
  http::BodyProducer producer = [&input]() { return input.read(); };
  http::ClientRequest request;
  request.method = "PUT";
  request.path = api::path("containers", id, "files");
  request.query.add("path", directory);
  request.query.add("keep_kinds", "1");
  request.content_type = kTarType;
  auto response = co_await context.client.upload(std::move(request), std::move(producer));
  co_await response.read_all();
}

void require_success(Child& tar) {
  if (tar.wait().code != 0) throw Error(ErrorKind::internal, "tar failed", "see what it said above");
}

std::string absolute(const Context& context, const std::string& path) {
  return path.starts_with('/') ? path : (context.directory / path).string();
}

task<> copy_in(Context& context, Copy request, ContainerPath target) {
  auto id = co_await find_container(context, target.name);
  if (request.source == "-") {
    co_await upload(context, id, target.path, STDIN_FILENO);
    co_return;
  }
  auto source = absolute(context, request.source);
  auto from = kind_here(source, request.follow || source.ends_with('/'));
  if (from == Kind::none) throw Error(ErrorKind::not_found, request.source + " does not exist", "correct the path");
  auto to = co_await kind_inside(context.client, id, target.path);
  auto plan = plan_copy(source, from, target.path, to);
  gantry::Command command;
  command.argv = pack_command(plan, request.archive, request.follow);
  Pipe pipe = make_pipe();
  command.descriptors.emplace_back(1, pipe.write.get());
  command.descriptors.emplace_back(2, STDERR_FILENO);
  Child tar = spawn(command);
  pipe.write.reset();
  std::exception_ptr failure;
  try {
    co_await upload(context, id, plan.into, pipe.read.get());
  } catch (...) {
    failure = std::current_exception();
  }
  pipe.read.reset();
  if (failure) {
    tar.wait();
    std::rethrow_exception(failure);
  }
  require_success(tar);
}

task<> copy_pieces(http::Response response, int fd) {
  for (;;) {
    auto piece = co_await response.read_some();
    if (piece.empty()) co_return;
    write_all(fd, piece, "the archive");
  }
}

task<> copy_out(Context& context, Copy request, ContainerPath source) {
  auto id = co_await find_container(context, source.name);
  if (request.follow) {
    auto link = co_await stat_inside(context.client, id, source.path);
    if (link && S_ISLNK(link->mode)) source.path = link->link_target;
  }
  if (request.target == "-") {
    auto response = co_await download(context.client, id, source.path);
    co_await copy_pieces(std::move(response), STDOUT_FILENO);
    co_return;
  }
  auto found = co_await stat_inside(context.client, id, source.path);
  if (!found)
    throw Error(ErrorKind::not_found, "\"" + source.path + "\" does not exist in container " + source.name,
                "'gantry exec " + source.name + " ls' shows what is there");
  auto target = absolute(context, request.target);
  auto plan = plan_copy(source.path, kind_of(found->mode), target, kind_here(target, true));
  auto wanted = plan.from;
  if (plan.whole_directory) wanted += "/.";
  auto response = co_await download(context.client, id, wanted);
  gantry::Command command;
  command.argv = unpack_command(plan, request.archive);
  Pipe pipe = make_pipe();
  command.descriptors.emplace_back(0, pipe.read.get());
  command.descriptors.emplace_back(2, STDERR_FILENO);
  Child tar = spawn(command);
  pipe.read.reset();
  std::exception_ptr failure;
  try {
    co_await copy_pieces(std::move(response), pipe.write.get());
  } catch (...) {
    failure = std::current_exception();
  }
  pipe.write.reset();
  if (failure) {
    tar.wait();
    std::rethrow_exception(failure);
  }
  require_success(tar);
}

task<int> copy(Context& context, Copy request) {
  auto source = parse_container_path(request.source);
  auto target = parse_container_path(request.target);
  if (source && target) throw Error(ErrorKind::invalid, "cp: both are in containers", "copy to a directory here first");
  if (!source && !target)
    throw Error(ErrorKind::invalid, "cp: neither is in a container", "write one of them as NAME:PATH");
  if (source) co_await copy_out(context, std::move(request), *source);
  if (target) co_await copy_in(context, std::move(request), *target);
  co_return 0;
}

struct Export {
  std::string name, output;
};

void declare_export(Options& options, Export& out) {
  options.value("-o,--output", "FILE", out.output, "write there instead of to standard output")
      .required("NAME", out.name);
}

task<int> export_container(Context& context, Export request) {
  bool to_terminal = request.output.empty() && ::isatty(STDOUT_FILENO) == 1;
  if (to_terminal)
    throw Error(ErrorKind::invalid, "an archive is not written to a terminal", "name a file with --output");
  auto id = co_await find_container(context, request.name);
  http::ClientRequest get;
  get.path = api::path("containers", id, "export");
  auto response = co_await context.client.open(std::move(get));
  Fd file;
  if (!request.output.empty()) file = open_file(absolute(context, request.output), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  co_await copy_pieces(std::move(response), file ? file.get() : STDOUT_FILENO);
  co_return 0;
}

struct Diff {
  std::string name;
};

void declare_diff(Options& options, Diff& diff) { options.required("NAME", diff.name); }

task<int> diff(Context& context, Diff request) {
  auto id = co_await find_container(context, request.name);
  auto answer = co_await api::get(context.client, api::path("containers", id, "changes"));
  if (context.json()) {
    context.print(answer);
    co_return 0;
  }
  for (const auto& change : json::from<std::vector<engine::Change>>(answer)) {
    char letter = change.kind == engine::ChangeKind::added     ? 'A'
                  : change.kind == engine::ChangeKind::deleted ? 'D'
                                                               : 'C';
    context.console.out(std::string(1, letter) + " " + change.path + "\n");
  }
  co_return 0;
}

struct Commit {
  std::string author, message, name, reference;
  std::vector<std::string> changes;
  bool no_pause = false;
};

void declare_commit(Options& options, Commit& commit) {
  options.value("-a,--author", "NAME", commit.author, "who made it")
      .list("-c,--change", "INSTRUCTION", commit.changes, "Dockerfile instruction to apply, as 'CMD [\"run\"]'")
      .value("-m,--message", "TEXT", commit.message, "what it is")
      .flag("--no-pause", commit.no_pause, "let it run on meanwhile")
      .required("NAME", commit.name)
      .optional("REFERENCE", commit.reference);
}

task<int> commit(Context& context, Commit request) {
  auto id = co_await find_container(context, request.name);
  boost::json::object body;
  body["reference"] = request.reference;
  body["author"] = request.author;
  body["comment"] = request.message;
  body["changes"] = json::to(request.changes);
  body["pause"] = !request.no_pause;
  auto answer = co_await api::post_json(context.client, api::path("containers", id, "commit"), std::move(body));
  if (context.json()) context.print(answer);
  if (!context.json()) context.console.out(std::string(answer.at("id").as_string()) + "\n");
  co_return 0;
}

}  // namespace

std::vector<Command> file_commands() {
  return {
      {"cp",
       "Copy files between a container and here",
       {"gantry cp web:/etc/nginx/nginx.conf .", "gantry cp ./site/. web:/srv/www",
        "gantry cp web:/var/log - | tar -t"},
       prepare<Copy, declare_copy, copy>},
      {"diff",
       "Show what a container has changed in its root file system: A added, C changed, D deleted",
       {"gantry diff web"},
       prepare<Diff, declare_diff, diff>},
      {"commit",
       "Make an image of a container",
       {"gantry commit web web:patched", "gantry commit -c 'CMD [\"serve\"]' -m 'with certificates' web web:tls"},
       prepare<Commit, declare_commit, commit>},
      {"export",
       "Write the root file system of a container as a tar archive",
       {"gantry export -o web.tar web"},
       prepare<Export, declare_export, export_container>},
  };
}

}  // namespace gantry::cli
