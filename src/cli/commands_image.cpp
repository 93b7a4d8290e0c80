#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "api.h"
#include "build.h"
#include "command.h"
#include "format.h"
#include "gantry/base/fd.h"
#include "gather.h"
#include "input.h"
#include "parse.h"
#include "table.h"
#include "text.h"

namespace gantry::cli {
namespace {

struct Ls {
  bool quiet = false, no_trunc = false, all = false;
  std::vector<std::string> references;
};

void declare_ls(Options& options, Ls& ls) {
  options.flag("-q,--quiet", ls.quiet, "ids only")
      .flag("--no-trunc", ls.no_trunc, "whole ids")
      .flag("-a,--all", ls.all, "accepted for habit: all are shown")
      .rest("REFERENCE", ls.references);
}

std::string image_table(const std::vector<api::Image>& images, bool whole) {
  Table table({"REFERENCE", "ID", "CREATED", "SIZE"});
  for (const auto& image : images) {
    auto id = whole ? image.id : short_digest(image.id);
    auto created = image.created == Timestamp{} ? "" : ago(image.created, now());
    auto references = image.references.empty() ? std::vector<std::string>{"<none>"} : image.references;
    for (const auto& reference : references) table.add({reference, id, created, human_bytes(image.size)});
  }
  return table.text();
}

task<int> ls(Context& context, Ls flags) {
  http::Query query;
  for (const auto& reference : flags.references) query.add("reference", reference);
  auto answer = co_await api::get(context.client, "/v1/images", query);
  if (context.json()) {
    context.print(answer);
    co_return 0;
  }
  auto images = json::from<std::vector<api::Image>>(answer);
  std::string ids;
  for (const auto& image : images) ids += (flags.no_trunc ? image.id : short_digest(image.id)) + "\n";
  context.console.out(flags.quiet ? ids : image_table(images, flags.no_trunc));
  co_return 0;
}

struct Names {
  bool force = false;
  std::vector<std::string> names;
};

void declare_rm(Options& options, Names& rm) {
  options.flag("-f,--force", rm.force, "also when a container uses it").rest("IMAGE", rm.names, true);
}

void declare_inspect(Options& options, Names& inspect) { options.rest("IMAGE", inspect.names, true); }

task<> remove_image(Context& context, std::string name, bool force) {
  http::Query query;
  if (force) query.add("force", "1");
  auto removed = co_await api::remove(context.client, api::path("images", name), query);
  for (const auto& reference : removed.at("untagged").as_array())
    context.console.out("untagged " + std::string(reference.as_string()) + "\n");
  for (const auto& id : removed.at("deleted").as_array())
    context.console.out("deleted " + std::string(id.as_string()) + "\n");
}

task<int> rm(Context& context, Names request) {
  auto work = [force = request.force](Context& ctx, std::string name) {
    return remove_image(ctx, std::move(name), force);
  };
  return for_each_name(context, request.names, work, false);
}

task<int> inspect(Context& context, Names request) {
  boost::json::array all;
  for (auto name : request.names) {
    auto image = co_await api::get(context.client, api::path("images", name));
    all.push_back(std::move(image));
  }
  context.print(all);
  co_return 0;
}

struct Tag {
  std::string source, target;
};

void declare_tag(Options& options, Tag& tag) { options.required("SOURCE", tag.source).required("TARGET", tag.target); }

task<int> tag(Context& context, Tag request) {
  http::Query query;
  query.add("target", request.target);
  co_await api::post(context.client, api::path("images", request.source, "tag"), query);
  co_return 0;
}

struct Import {
  std::string file, reference;
};

void declare_import(Options& options, Import& import) {
  options.required("FILE", import.file).required("REFERENCE", import.reference);
}

task<int> import_image(Context& context, Import request) {
  auto executor = co_await asio::this_coro::executor;
  Fd file;
  if (request.file != "-") file = open_file((context.directory / request.file).string(), O_RDONLY);
  SharedInput input(executor, file ? file.get() : STDIN_FILENO);
  http::BodyProducer producer = [&input]() { return input.read(); };
  http::ClientRequest upload;
  upload.method = "POST";
  upload.path = "/v1/images/import";
  upload.query.add("reference", request.reference);
  upload.content_type = "application/x-tar";
  auto response = co_await context.client.upload(std::move(upload), std::move(producer));
  auto text = co_await response.read_all();
  auto answer = json::parse(text, "the daemon's answer");
  if (context.json()) context.print(answer);
  if (!context.json()) context.console.out(std::string(answer.at("id").as_string()) + "\n");
  co_return 0;
}

struct Bootstrap {
  std::string name;
  std::vector<std::string> packages;
  bool quiet = false;
};

void declare_bootstrap(Options& options, Bootstrap& bootstrap) {
  options.list("--package", "NAME", bootstrap.packages, "further package to install")
      .flag("-q,--quiet", bootstrap.quiet, "no progress; print the id")
      .required("NAME", bootstrap.name);
}

task<int> bootstrap(Context& context, Bootstrap request) {
  boost::json::object body;
  body["name"] = request.name;
  body["packages"] = json::to(request.packages);
  http::ClientRequest post;
  post.method = "POST";
  post.path = "/v1/images/bootstrap";
  post.body = boost::json::serialize(body);
  auto progress = context.progress(request.quiet);
  auto step = [&](const boost::json::value& value) {
    ProgressItem item;
    item.id = json::from<std::string>(value.at("id"));
    item.status = json::from<std::string>(value.at("status"));
    item.current = json::from<std::uint64_t>(value.at("current"));
    item.total = json::from<std::uint64_t>(value.at("total"));
    progress->update(item);
  };
  auto response = co_await context.client.open(std::move(post));
  auto image = co_await api::follow(std::move(response), step);
  progress->finish();
  if (context.json()) context.print(image);
  if (!context.json()) context.console.out(std::string(image.at("id").as_string()) + "\n");
  co_return 0;
}

struct Build {
  std::vector<std::string> tags, args, labels;
  std::string file, target, path;
  bool no_cache = false, quiet = false;
};

void declare_build(Options& options, Build& build) {
  options.list("-t,--tag", "REFERENCE", build.tags, "name of the image")
      .value("-f,--file", "FILE", build.file, "Dockerfile, or - for standard input (PATH/Dockerfile)")
      .list("--build-arg", "KEY[=VALUE]", build.args, "value of an ARG; KEY alone passes our variable on")
      .value("--target", "STAGE", build.target, "stage to build")
      .list("--label", "KEY=VALUE", build.labels, "label of the image")
      .flag("--no-cache", build.no_cache, "run every step again")
      .flag("-q,--quiet", build.quiet, "no progress; print the id")
      .required("PATH", build.path);
}

BuildOptions options_of(const Context& context, const Build& build) {
  BuildOptions options;
  options.tags = build.tags;
  options.target = build.target;
  options.no_cache = build.no_cache;
  options.labels = parse_pairs(build.labels, "--label");
  for (const auto& text : build.args)
    if (auto variable = parse_variable(text, context.environment))
      options.arguments.insert(parse_pair(*variable, "--build-arg"));
  return options;
}

task<std::string> build_path(Context& context, Build build, Progress& progress) {
  auto options = options_of(context, build);
  if (build.path == "-") {
    if (build.file == "-")
      throw Error(ErrorKind::invalid, "the context and the Dockerfile cannot both be standard input");
    if (!build.file.empty()) options.dockerfile = build.file;
    co_return co_await build_from_stdin(context, std::move(options), progress);
  }
  if (build.path.find("://") != std::string::npos)
    throw Error(ErrorKind::unsupported, "build context " + build.path + ": only directories and '-' are supported",
                "clone or download it first");
  auto root = (context.directory / build.path).lexically_normal();
  if (build.file == "-") {
    options.dockerfile_text = read_to_end(STDIN_FILENO, "standard input", 40u << 10);
  } else {
    locate_dockerfile(options, root, build.file.empty() ? root / "Dockerfile" : context.directory / build.file);
  }
  co_return co_await build_directory(context, root, std::move(options), progress, "");
}

task<int> build(Context& context, Build request) {
  std::string id;
  {
    auto progress = context.progress(request.quiet);
    id = co_await build_path(context, request, *progress);
  }
  if (context.json()) context.print(boost::json::object{{"id", id}});
  if (!context.json()) context.console.out(id + "\n");
  co_return 0;
}

}  // namespace

std::vector<Command> image_commands() {
  return {
      {"build",
       "Build an image from a Dockerfile",
       {"gantry build -t myapp .", "gantry build -t myapp:test -f docker/Dockerfile --build-arg VERSION=2 .",
        "tar c . | gantry build -t myapp -"},
       prepare<Build, declare_build, build>},
      {"image ls", "List images", {"gantry image ls", "gantry image ls --format json"}, prepare<Ls, declare_ls, ls>},
      {"image rm",
       "Remove names of images, and images without further names",
       {"gantry image rm myapp:old"},
       prepare<Names, declare_rm, rm>},
      {"image inspect",
       "Show everything about images, as JSON",
       {"gantry image inspect debian:bookworm"},
       prepare<Names, declare_inspect, inspect>},
      {"image tag",
       "Give an image a further name",
       {"gantry image tag myapp:2 myapp:stable"},
       prepare<Tag, declare_tag, tag>},
      {"image import",
       "Make an image from a tar archive of a root file system ('-': standard input)",
       {"gantry image import rootfs.tar.zst base:1", "tar c -C rootfs . | gantry image import - base:1"},
       prepare<Import, declare_import, import_image>},
      {"image bootstrap",
       "Make a Debian base image from Debian's signed archive",
       {"gantry image bootstrap debian:bookworm", "gantry image bootstrap debian:bookworm --package ca-certificates"},
       prepare<Bootstrap, declare_bootstrap, bootstrap>},
  };
}

}  // namespace gantry::cli
