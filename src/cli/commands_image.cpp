#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "api.h"
#include "command.h"
#include "credentials.h"
#include "format.h"
#include "gantry/base/fd.h"
#include "gather.h"
#include "input.h"
#include "parse.h"
#include "table.h"
#include "text.h"

namespace gantry::cli {
namespace {

struct ImageLs {
  bool quiet = false, no_trunc = false, all = false;
  std::vector<std::string> references;
};

void declare_image_ls(Options& options, ImageLs& ls) {
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

task<int> image_ls(Context& context, ImageLs flags) {
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

struct ImageNames {
  bool force = false;
  std::vector<std::string> names;
};

void declare_image_rm(Options& options, ImageNames& rm) {
  options.flag("-f,--force", rm.force, "also when a container uses it").rest("IMAGE", rm.names, true);
}

void declare_image_inspect(Options& options, ImageNames& inspect) { options.rest("IMAGE", inspect.names, true); }

task<> remove_image(Context& context, std::string name, bool force) {
  http::Query query;
  if (force) query.add("force", "1");
  auto removed = co_await api::remove(context.client, api::path("images", name), query);
  for (const auto& reference : removed.at("untagged").as_array())
    context.console.out("untagged " + std::string(reference.as_string()) + "\n");
  for (const auto& id : removed.at("deleted").as_array())
    context.console.out("deleted " + std::string(id.as_string()) + "\n");
}

task<int> image_rm(Context& context, ImageNames request) {
  auto work = [force = request.force](Context& ctx, std::string name) {
    return remove_image(ctx, std::move(name), force);
  };
  return for_each_name(context, request.names, work, false);
}

task<int> image_inspect(Context& context, ImageNames request) {
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

task<boost::json::value> upload_file(Context& context, std::string path, std::string file, http::Query query) {
  auto executor = co_await asio::this_coro::executor;
  Fd fd;
  if (!file.empty() && file != "-") fd = open_file((context.directory / file).string(), O_RDONLY);
  SharedInput input(executor, fd ? fd.get() : STDIN_FILENO);
  http::BodyProducer producer = [&input]() { return input.read(); };
  http::ClientRequest upload;
  upload.method = "POST";
  upload.path = std::move(path);
  upload.query = std::move(query);
  upload.content_type = "application/x-tar";
  auto response = co_await context.client.upload(std::move(upload), std::move(producer));
  auto text = co_await response.read_all();
  co_return json::parse(text, "the daemon's answer");
}

struct Import {
  std::string file, reference;
};

void declare_import(Options& options, Import& import) {
  options.required("FILE", import.file).required("REFERENCE", import.reference);
}

task<int> import_image(Context& context, Import request) {
  http::Query query;
  query.add("reference", request.reference);
  auto answer = co_await upload_file(context, "/v1/images/import", request.file, query);
  if (context.json()) context.print(answer);
  if (!context.json()) context.console.out(std::string(answer.at("id").as_string()) + "\n");
  co_return 0;
}

struct History {
  bool no_trunc = false;
  std::string image;
};

void declare_history(Options& options, History& history) {
  options.flag("--no-trunc", history.no_trunc, "whole commands").required("IMAGE", history.image);
}

task<int> history(Context& context, History request) {
  auto answer = co_await api::get(context.client, api::path("images", request.image, "history"));
  if (context.json()) {
    context.print(answer);
    co_return 0;
  }
  constexpr std::size_t kWidth = 60;
  Table table({"CREATED", "CREATED BY", "SIZE", "COMMENT"});
  for (const auto& item : json::from<std::vector<api::HistoryItem>>(answer)) {
    auto command = one_line(item.created_by);
    if (!request.no_trunc) command = ellipsize(command, kWidth);
    table.add(
        {item.created == Timestamp{} ? "" : ago(item.created, now()), command, human_bytes(item.size), item.comment});
  }
  context.console.out(table.text());
  co_return 0;
}

struct Save {
  std::string output;
  std::vector<std::string> images;
};

void declare_save(Options& options, Save& save) {
  options.value("-o,--output", "FILE", save.output, "write there, not to standard output")
      .rest("IMAGE", save.images, true);
}

task<int> save(Context& context, Save request) {
  if (request.output.empty() && ::isatty(STDOUT_FILENO) == 1)
    throw Error(ErrorKind::invalid, "an archive cannot be shown on a terminal", "name a file with -o, or use a pipe");
  http::ClientRequest post;
  post.method = "POST";
  post.path = "/v1/images/save";
  for (const auto& image : request.images) post.query.add("reference", image);
  auto response = co_await context.client.open(std::move(post));
  if (request.output.empty()) {
    for (auto piece = co_await response.read_some(); !piece.empty(); piece = co_await response.read_some())
      write_all(STDOUT_FILENO, piece, "standard output");
    co_return 0;
  }
  // Only a whole archive gets the name.
  auto path = (context.directory / request.output).string();
  auto partial = path + ".partial";
  Fd file = open_file(partial, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  std::exception_ptr failure;
  try {
    for (auto piece = co_await response.read_some(); !piece.empty(); piece = co_await response.read_some())
      write_all(file.get(), piece, path);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) {
    ::unlink(partial.c_str());
    std::rethrow_exception(failure);
  }
  if (::rename(partial.c_str(), path.c_str()) < 0) throw_errno("rename " + partial);
  co_return 0;
}

struct Load {
  std::string input;
  bool quiet = false;
};

void declare_load(Options& options, Load& load) {
  options.value("-i,--input", "FILE", load.input, "read there, not from standard input")
      .flag("-q,--quiet", load.quiet, "print nothing but errors");
}

task<int> load(Context& context, Load request) {
  if (request.input.empty() && ::isatty(STDIN_FILENO) == 1)
    throw Error(ErrorKind::invalid, "no archive is given", "name a file with -i, or use a pipe");
  http::Query none;
  auto answer = co_await upload_file(context, "/v1/images/load", request.input, none);
  if (context.json()) {
    context.print(answer);
    co_return 0;
  }
  for (const auto& image : answer.as_array()) {
    for (const auto& lost : image.at("replaced").as_array())
      context.console.out("took the name from " + std::string(lost.as_string()) + "\n");
    const auto& names = image.at("names").as_array();
    if (!request.quiet && names.empty())
      context.console.out("loaded " + std::string(image.at("id").as_string()) + "\n");
    for (const auto& name : names)
      if (!request.quiet) context.console.out("loaded " + std::string(name.as_string()) + "\n");
  }
  co_return 0;
}

struct ImagePrune {
  bool all = false;
  std::vector<std::string> filters;
};

void declare_image_prune(Options& options, ImagePrune& prune) {
  options.flag("-a,--all", prune.all, "every image that no container uses, not only those without a name")
      .list("--filter", "until=TIME", prune.filters, "only images made before a time, or a span ago (until=24h)");
}

std::optional<Timestamp> until_of(const std::vector<std::string>& filters) {
  std::optional<Timestamp> out;
  for (const auto& filter : filters) {
    auto [key, value, found] = cut(filter, '=');
    if (key != "until")
      throw Error(ErrorKind::invalid, "--filter '" + filter + "': expected until=TIME", "for example until=24h");
    auto at = parse_moment(value, now(), "--filter until");
    if (!out || at < *out) out = at;
  }
  return out;
}

task<int> image_prune(Context& context, ImagePrune request) {
  boost::json::value answer;
  http::ClientRequest post;
  post.method = "POST";
  post.path = "/v1/images/prune";
  if (request.all) post.query.add("all", "1");
  if (auto until = until_of(request.filters)) post.query.add("until", to_rfc3339(*until));
  auto text = co_await context.client.call(std::move(post));
  answer = json::parse(text, "the daemon's answer");
  if (context.json()) {
    context.print(answer);
    co_return 0;
  }
  for (const auto& name : answer.at("untagged").as_array())
    context.console.out("untagged " + std::string(name.as_string()) + "\n");
  for (const auto& id : answer.at("deleted").as_array())
    context.console.out("deleted " + std::string(id.as_string()) + "\n");
  context.console.out(human_bytes(json::from<std::uint64_t>(answer.at("bytes"))) + " given back\n");
  co_return 0;
}

struct Verify {
  bool repair = false, quiet = false;
  std::vector<std::string> images;
};

void declare_verify(Options& options, Verify& verify) {
  options.flag("--repair", verify.repair, "get what is damaged from where it came, in place of what is here")
      .flag("-q,--quiet", verify.quiet, "no progress; print damage only")
      .rest("IMAGE", verify.images);
}

// Whoever is signed in where the images came from, for --repair.
task<std::string> logins_of_images(Context& context) {
  CredentialFile file(context.environment);
  std::map<std::string, Login> logins;
  auto answer = co_await api::get(context.client, "/v1/images");
  for (const auto& image : answer.as_array())
    for (const auto& digest : image.at("digests").as_array()) {
      auto registry = registry_of(std::string(digest.as_string()));
      if (logins.contains(registry)) continue;
      if (auto login = file.find(registry)) logins[registry] = *login;
    }
  co_return logins_header(logins);
}

std::string damage_text(const boost::json::value& damage) {
  auto text = [&](const char* key) { return json::from<std::string>(damage.at(key)); };
  auto part = text("part");
  bool repaired = damage.at("repaired").as_bool();
  auto images = json::from<std::vector<std::string>>(damage.at("images"));
  auto out = fmt::format("{} {} {}: {}\n", repaired ? "repaired" : "damaged", part, short_digest(text("digest")),
                         text("problem"));
  if (!images.empty()) out += "  of " + join(images, ", ") + "\n";
  for (const auto& file : damage.at("files").as_array())
    out += fmt::format("  /{} {}\n", one_line(json::from<std::string>(file.at("path"))),
                       one_line(json::from<std::string>(file.at("problem"))));
  if (auto more = json::from<std::uint64_t>(damage.at("more_files")); more > 0)
    out += fmt::format("  and {} more files\n", more);
  if (!repaired) out += "  fix: " + text("fix") + "\n";
  return out;
}

task<int> verify(Context& context, Verify request) {
  http::ClientRequest post;
  post.method = "POST";
  post.path = "/v1/images/verify";
  for (const auto& image : request.images) post.query.add("image", image);
  if (request.repair) {
    post.query.add("repair", "1");
    auto logins = co_await logins_of_images(context);
    post.headers.add("X-Registry-Config", logins);
  }
  boost::json::value report;
  {
    auto progress = context.progress(request.quiet);
    auto step = [&](const boost::json::value& value) {
      ProgressItem item;
      item.id = json::from<std::string>(value.at("id"));
      item.status = json::from<std::string>(value.at("status"));
      item.current = json::from<std::uint64_t>(value.at("current"));
      item.total = json::from<std::uint64_t>(value.at("total"));
      if (item.status == "checked" || item.status == "repaired") item.mark = Mark::done;
      if (item.status == "damaged") item.mark = Mark::failed;
      progress->update(item);
    };
    auto response = co_await context.client.open(std::move(post));
    report = co_await api::follow(std::move(response), step);
  }
  std::size_t left = 0;
  std::string text;
  for (const auto& damage : report.at("damages").as_array()) {
    if (!damage.at("repaired").as_bool()) ++left;
    text += damage_text(damage);
  }
  if (context.json()) {
    context.print(report);
    co_return left == 0 ? 0 : 1;
  }
  auto count = [&](const char* key) { return json::from<std::uint64_t>(report.at(key)); };
  auto unchecked = report.at("unchecked").as_array().size();
  context.console.out(text);
  if (!request.quiet)
    context.console.out(fmt::format("{} images, {} layers, {} files, {} read: {}\n", count("images"), count("layers"),
                                    count("files"), human_bytes(count("bytes")),
                                    left > 0       ? fmt::format("{} damaged", left)
                                    : text.empty() ? "as they should be"
                                                   : "all damage repaired"));
  if (!request.quiet && unchecked > 0)
    context.console.out(fmt::format(
        "{} of the layers came in archives that cannot be made again; they were read, not compared\n", unchecked));
  co_return left == 0 ? 0 : 1;
}

struct ImageDiff {
  std::string before, after;
};

void declare_image_diff(Options& options, ImageDiff& diff) {
  options.required("IMAGE", diff.before).required("OTHER", diff.after);
}

task<int> image_diff(Context& context, ImageDiff request) {
  http::Query query;
  query.add("other", request.after);
  auto answer = co_await api::get(context.client, api::path("images", request.before, "diff"), query);
  if (context.json()) {
    context.print(answer);
    co_return 0;
  }
  std::string text;
  for (const auto& change : answer.as_array()) {
    auto kind = json::from<std::string>(change.at("kind"));
    text += fmt::format("{} {}\n",
                        kind == "added"     ? 'A'
                        : kind == "deleted" ? 'D'
                                            : 'C',
                        one_line(json::from<std::string>(change.at("path"))));
  }
  context.console.out(text);
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

}  // namespace

std::vector<Command> image_commands() {
  return {
      {"image ls",
       "List images",
       {"gantry image ls", "gantry image ls --format json"},
       prepare<ImageLs, declare_image_ls, image_ls>},
      {"image rm",
       "Remove names of images, and images without further names",
       {"gantry image rm myapp:old"},
       prepare<ImageNames, declare_image_rm, image_rm>},
      {"image inspect",
       "Show everything about images, as JSON",
       {"gantry image inspect debian:bookworm"},
       prepare<ImageNames, declare_image_inspect, image_inspect>},
      {"image tag",
       "Give an image a further name",
       {"gantry image tag myapp:2 myapp:stable"},
       prepare<Tag, declare_tag, tag>},
      {"image history",
       "Show the steps an image was made in, newest first",
       {"gantry image history myapp:2"},
       prepare<History, declare_history, history>},
      {"image diff",
       "Show what is added (A), changed (C) and deleted (D) in the files of the second image",
       {"gantry image diff myapp:1 myapp:2"},
       prepare<ImageDiff, declare_image_diff, image_diff>},
      {"image verify",
       "Compare images with their digests: layers, files, configurations; status 1 when something is damaged",
       {"gantry image verify", "gantry image verify --repair debian:bookworm"},
       prepare<Verify, declare_verify, verify>},
      {"image save",
       "Write images to an archive that Gantry, docker, podman and skopeo read",
       {"gantry image save -o app.tar myapp:2", "gantry image save myapp | ssh other gantry image load"},
       prepare<Save, declare_save, save>},
      {"image load",
       "Take images from an archive: of `image save`, docker save, skopeo, or an OCI layout",
       {"gantry image load -i app.tar", "zcat app.tar.gz | gantry image load"},
       prepare<Load, declare_load, load>},
      {"image prune",
       "Remove images without a name, or all that no container uses",
       {"gantry image prune", "gantry image prune --all"},
       prepare<ImagePrune, declare_image_prune, image_prune>},
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
