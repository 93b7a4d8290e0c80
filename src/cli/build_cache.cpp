#include "build_cache.h"

#include "api.h"
#include "build_output.h"
#include "context_archive.h"
#include "gantry/base/files.h"
#include "gantry/base/ids.h"
#include "gantry/base/process.h"
#include "gantry/base/text.h"
#include "push.h"

namespace gantry::cli {
namespace {

namespace fs = std::filesystem;
using CacheKind = BuildCache::Kind;

constexpr char kLocalName[] = "gantry-build-cache";

task<std::string> next_piece(ContextArchive& archive) { co_return archive.next(); }

// What is there is replaced as a whole, and only when it is such a directory.
void replace_layout(const fs::path& fresh, const fs::path& directory) {
  bool ours = fs::exists(directory / "oci-layout");
  if (fs::exists(directory) && !ours && !fs::is_empty(directory))
    throw Error(ErrorKind::conflict, directory.string() + " is there and holds no build cache",
                "name another directory with --cache-to");
  remove_tree(directory);
  fs::rename(fresh, directory);
}

task<> download_layout(Context& context, std::string name, fs::path directory) {
  make_directories(directory.parent_path());
  TemporaryDirectory fresh(directory.parent_path(), "cache-");
  BuildOutput output;
  output.kind = BuildOutput::Kind::oci;
  output.destination = (fresh.path() / "archive.tar").string();
  NoProgress silent;
  std::vector<std::string> names = {name};
  co_await write_output(context, output, name, names, silent);
  make_directories(fresh.path() / "layout");
  gantry::Command command;
  command.argv = {"tar", "-xf", output.destination, "-C", (fresh.path() / "layout").string()};
  if (run_captured(command).status.code != 0) throw Error(ErrorKind::internal, "tar could not unpack the build cache");
  replace_layout(fresh.path() / "layout", directory);
}

}  // namespace

BuildCache parse_build_cache(const std::string& text, const std::string& option) {
  BuildCache out;
  auto refuse = [&](const std::string& why) {
    return Error(ErrorKind::invalid, option + " " + text + ": " + why,
                 "write a reference, type=registry,ref=REFERENCE, type=local,src=DIR or type=local,dest=DIR");
  };
  if (text.find('=') == std::string::npos) {
    out.place = text;
    return out;
  }
  for (const auto& field : split(text, ',')) {
    auto equals = std::min(field.find('='), field.size());
    auto key = field.substr(0, equals);
    auto value = field.substr(std::min(equals + 1, field.size()));
    if (key == "type" && value == "inline")
      out.kind = CacheKind::inline_;
    else if (key == "type" && (value == "local" || value == "registry"))
      out.kind = value == "local" ? CacheKind::local : CacheKind::registry;
    else if (key == "type")
      throw refuse("unknown type \"" + value + "\"");
    else if (key == "ref" || key == "src" || key == "dest")
      out.place = value;
    else if (key != "mode" && key != "compression" && key != "image-manifest" && key != "oci-mediatypes")
      throw refuse("unknown key \"" + key + "\"");
  }
  if (out.place.empty() && out.kind != CacheKind::inline_) throw refuse("it does not say where");
  return out;
}

task<std::string> use_cache(Context& context, BuildCache cache, BuildOptions* options) {
  if (cache.kind != CacheKind::local) {
    options->cache_from.push_back(cache.place);
    co_return std::string();
  }
  auto directory = context.directory / cache.place;
  if (!fs::exists(directory / "index.json")) {
    context.console.err("no build cache in " + directory.string() + " yet\n");
    co_return std::string();
  }
  ContextArchive archive(directory, ignore::IgnoreFile());
  http::BodyProducer producer = [&archive]() { return next_piece(archive); };
  http::ClientRequest upload;
  upload.method = "POST";
  upload.path = "/v1/images/load";
  upload.content_type = "application/x-tar";
  auto response = co_await context.client.upload(std::move(upload), std::move(producer));
  auto text = co_await response.read_all();
  auto loaded = json::parse(text, "the daemon's answer");
  std::string id;
  for (const auto& image : loaded.as_array()) id = std::string(image.at("id").as_string());
  if (!id.empty()) options->cache_from.push_back(id);
  co_return id;
}

std::string cache_name(const BuildCache& cache) {
  if (cache.kind == CacheKind::registry) return cache.place;
  return std::string(kLocalName) + ":" + random_hex(12);
}

task<> keep_cache(Context& context, BuildCache cache, std::string name, Progress& progress) {
  if (cache.kind == CacheKind::registry) {
    co_await push_image(context, name, progress);
    co_return;
  }
  co_await download_layout(context, name, context.directory / cache.place);
}

task<> drop_image(Context& context, std::string reference) {
  gantry::detail::Outcome<boost::json::value> outcome;
  auto work = api::remove(context.client, api::path("images", reference));
  co_await gantry::detail::settle<boost::json::value>(std::move(work), &outcome);
}

}  // namespace gantry::cli
