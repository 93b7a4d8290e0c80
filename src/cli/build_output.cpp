#include "build_output.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>

#include "api.h"
#include "gantry/base/files.h"
#include "gantry/base/process.h"
#include "gantry/base/text.h"
#include "push.h"

namespace gantry::cli {
namespace {

using OutputKind = BuildOutput::Kind;

constexpr std::array<std::pair<std::string_view, OutputKind>, 6> kKinds{{{"image", OutputKind::image},
                                                                         {"local", OutputKind::local},
                                                                         {"tar", OutputKind::tar},
                                                                         {"oci", OutputKind::oci},
                                                                         {"docker", OutputKind::docker},
                                                                         {"registry", OutputKind::registry}}};

[[noreturn]] void refuse(const std::string& text, const std::string& why) {
  throw Error(ErrorKind::invalid, "--output " + text + ": " + why,
              "write DIR, - or type=local|tar|oci|docker|image|registry,dest=PATH");
}

void set(BuildOutput& out, const std::string& text, const std::string& key, const std::string& value) {
  if (key == "type") {
    for (const auto& [name, kind] : kKinds)
      if (name == value) return void(out.kind = kind);
    refuse(text, "unknown type \"" + value + "\"");
  }
  if (key == "dest")
    out.destination = value;
  else if (key == "name")
    out.name = value;
  else if (key == "push")
    out.push = value == "true" || value == "1";
  else
    refuse(text, "unknown key \"" + key + "\"");
}

// As us, who own what comes out; never through a link that the image has.
task<> unpack(http::Response response, std::string directory) {
  make_directories(directory);
  gantry::Command command;
  command.argv = {"tar", "--extract", "--no-same-owner", "--no-same-permissions", "--delay-directory-restore",
                  "-C",  directory,   "--file=-"};
  Pipe pipe = make_pipe();
  command.descriptors = {{0, pipe.read.get()}, {2, STDERR_FILENO}};
  Child tar = spawn(command);
  pipe.read.reset();
  std::exception_ptr failure;
  try {
    for (;;) {
      auto piece = co_await response.read_some();
      if (piece.empty()) break;
      write_all(pipe.write.get(), piece, directory);
    }
  } catch (...) {
    failure = std::current_exception();
  }
  pipe.write.reset();
  auto ended = tar.wait();
  if (failure) std::rethrow_exception(failure);
  if (ended.code != 0)
    throw Error(ErrorKind::internal, "the files could not be written to " + directory, "see what tar said above");
}

task<http::Response> files_of(Context& context, std::string image) {
  http::ClientRequest request;
  request.path = api::path("images", image, "files");
  co_return co_await context.client.open(std::move(request));
}

task<http::Response> archive_of(Context& context, std::string image, std::vector<std::string> tags) {
  http::ClientRequest request;
  request.method = "POST";
  request.path = "/v1/images/save";
  if (tags.empty()) tags.push_back(image);
  for (const auto& tag : tags) request.query.add("reference", tag);
  co_return co_await context.client.open(std::move(request));
}

}  // namespace

BuildOutput parse_build_output(const std::string& text) {
  BuildOutput out;
  if (text.find('=') == std::string::npos) {
    out.kind = text == "-" ? OutputKind::tar : OutputKind::local;
    out.destination = text;
    return out;
  }
  for (const auto& field : split(text, ',')) {
    auto equals = field.find('=');
    if (equals == std::string::npos) refuse(text, "\"" + field + "\" has no value");
    set(out, text, field.substr(0, equals), field.substr(equals + 1));
  }
  if (out.kind == OutputKind::registry) out.push = true;
  bool file = out.kind == OutputKind::tar || out.kind == OutputKind::oci || out.kind == OutputKind::docker;
  if (out.destination.empty() && out.kind == OutputKind::local) refuse(text, "dest is missing");
  if (out.destination.empty() && file) out.destination = "-";
  if (out.destination == "-" && out.kind == OutputKind::local) refuse(text, "files cannot go to standard output");
  return out;
}

bool keeps_image(const std::vector<BuildOutput>& outputs) {
  for (const auto& output : outputs)
    if (output.kind == OutputKind::image || output.kind == OutputKind::registry) return true;
  return outputs.empty();
}

task<> download_file(http::Response response, std::string path) {
  bool standard = path == "-";
  if (standard && ::isatty(STDOUT_FILENO) == 1)
    throw Error(ErrorKind::invalid, "an archive cannot be shown on a terminal",
                "name a file (dest=FILE), or use a pipe");
  auto partial = path + ".partial";
  Fd file;
  if (!standard) file = open_file(partial, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  std::exception_ptr failure;
  try {
    for (auto piece = co_await response.read_some(); !piece.empty(); piece = co_await response.read_some())
      write_all(standard ? STDOUT_FILENO : file.get(), piece, path);
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure && !standard) ::unlink(partial.c_str());
  if (failure) std::rethrow_exception(failure);
  if (!standard && ::rename(partial.c_str(), path.c_str()) < 0) throw_errno("rename " + partial);
}

task<> write_output(Context& context, BuildOutput output, std::string image, std::vector<std::string> tags,
                    Progress& progress) {
  auto path = output.destination == "-" ? "-" : (context.directory / output.destination).string();
  if (!output.name.empty()) {
    http::Query query;
    query.add("target", output.name);
    co_await api::post(context.client, api::path("images", image, "tag"), query);
    tags.assign(1, output.name);
  }
  if (output.kind == OutputKind::local) {
    auto response = co_await files_of(context, image);
    co_await unpack(std::move(response), path);
  } else if (output.kind == OutputKind::tar) {
    auto response = co_await files_of(context, image);
    co_await download_file(std::move(response), path);
  } else if (output.kind == OutputKind::oci || output.kind == OutputKind::docker) {
    auto response = co_await archive_of(context, image, tags);
    co_await download_file(std::move(response), path);
  }
  if (!output.push) co_return;
  if (tags.empty()) throw Error(ErrorKind::invalid, "an image without a name cannot be pushed", "name it with --tag");
  for (const auto& tag : tags) co_await push_image(context, tag, progress);
}

}  // namespace gantry::cli
