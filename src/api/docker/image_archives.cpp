#include "image_archives.h"
#include "../body_pipe.h"
#include "../body_source.h"
#include "gantry/build/changes.h"
#include "gantry/oci/platform.h"
#include "image_lookup.h"
#include "message_stream.h"
#include "remote_file.h"

/// Images as archives: save, load, and root file systems that become images.
namespace gantry::api::docker {
namespace {

namespace bj = boost::json;

// "linux/amd64" as a parameter, or its JSON form ({"os","architecture"}) since 1.48.
void require_platform(const std::string& text) {
  if (text.empty()) return;
  auto here = oci::Platform::current();
  std::string os, architecture;
  if (text.front() == '{') {
    auto value = json::parse(text, "query parameter 'platform'");
    auto read = [&](const char* key) {
      const auto* member = value.is_object() ? value.get_object().if_contains(key) : nullptr;
      return member != nullptr && member->is_string() ? std::string(member->get_string()) : std::string();
    };
    os = read("os");
    architecture = read("architecture");
  } else {
    auto slash = text.find('/');
    os = text.substr(0, slash);
    architecture = slash == std::string::npos ? "" : text.substr(slash + 1);
    architecture = architecture.substr(0, architecture.find('/'));
  }
  if (os != here.os || (!architecture.empty() && architecture != here.architecture))
    throw Error(ErrorKind::not_found, "images here are for " + here.str() + ", not for platform " + text);
}

task<> save_images(Services& services, Call call, std::vector<std::string> names) {
  for (const auto& platform : call.query().all("platform")) require_platform(platform);
  // What is missing is said before the head of the answer goes out.
  for (const auto& name : names) {
    auto bare = name;
    auto exists = [&images = services.engine().images(), bare] { return images.describe_saved(bare); };
    auto saved = co_await with_image(services, name, exists);
    for (const auto& [id, shown] : saved) publish(services, "image", "save", id, shown);
  }
  auto& images = services.engine().images();
  auto write = [&images, names](const ByteSink& sink) { images.save(names, sink); };
  co_await stream_out(call.exchange, services.transfers(), "application/x-tar", write);
}

task<> get_one(Services& services, Call call) {
  std::vector<std::string> names{call.parameter("name")};
  co_await save_images(services, call, std::move(names));
}

task<> get_many(Services& services, Call call) {
  auto names = call.query().all("names");
  if (names.empty()) throw Error(ErrorKind::invalid, "no images are named");
  co_await save_images(services, call, std::move(names));
}

std::string short_id(std::string_view digest) {
  auto colon = digest.find(':');
  return std::string(digest.substr(colon == std::string_view::npos ? 0 : colon + 1, 12));
}

image::ProgressSink loading(Tell tell) {
  return [tell = std::move(tell)](const image::Progress& progress) {
    if (progress.status != "unpacking") return;
    bj::object detail{{"current", progress.current}, {"total", progress.total}};
    tell({{"status", "Loading layer"}, {"progressDetail", std::move(detail)}, {"id", short_id(progress.id)}});
  };
}

task<> load_work(Services& services, http::Exchange* exchange, bool quiet, Tell tell) {
  auto& images = services.engine().images();
  auto sink = quiet ? image::ProgressSink() : loading(tell);
  auto unpack = [&images, sink](int fd) { return images.load(fd, sink); };
  auto loaded = co_await with_body(*exchange, services.transfers(), unpack);
  for (const auto& one : loaded) {
    for (const auto& lost : one.replaced) {
      auto space = lost.find(' ');
      tell(stream_message("The image " + lost.substr(0, space) + " already exists, renaming the old one with ID " +
                          lost.substr(space + 1) + " to empty string\n"));
    }
    for (const auto& name : one.names) tell(stream_message("Loaded image: " + name + "\n"));
    if (one.names.empty()) tell(stream_message("Loaded image ID: " + one.image.id + "\n"));
    publish(services, "image", "load", one.image.id, one.names.empty() ? one.image.id : one.names.front());
  }
}

task<> load(Services& services, Call call) {
  for (const auto& platform : call.query().all("platform")) require_platform(platform);
  auto* all = &services;
  auto* exchange = &call.exchange;
  bool quiet = docker_flag(call.query(), "quiet");
  auto work = [all, exchange, quiet](Tell tell) { return load_work(*all, exchange, quiet, std::move(tell)); };
  co_await stream_messages(call.exchange, work);
}

struct Import {
  std::string reference;  ///< empty: no name
  oci::ImageConfig config;
};

Import import_of(const http::Query& query) {
  Import out;
  out.reference = query.get("repo");
  if (auto tag = query.get("tag"); !tag.empty()) out.reference += ":" + tag;
  if (!out.reference.empty() && !parse_reference(out.reference).digest.empty())
    throw Error(ErrorKind::invalid, "cannot import digest reference");
  auto platform = oci::Platform::current();
  if (auto text = query.get("platform"); !text.empty()) {
    auto slash = text.find('/');
    platform.os = text.substr(0, slash);
    if (platform.os != "linux") throw Error(ErrorKind::invalid, "operating system is not supported: " + platform.os);
    if (slash != std::string::npos) {
      auto rest = text.substr(slash + 1);
      platform.architecture = rest.substr(0, rest.find('/'));
      platform.variant = rest.find('/') == std::string::npos ? "" : rest.substr(rest.find('/') + 1);
    }
  }
  out.config.os = platform.os;
  out.config.architecture = platform.architecture;
  if (!platform.variant.empty()) out.config.variant = platform.variant;
  out.config = build::apply_changes(std::move(out.config), query.all("changes"));
  auto comment = query.get("message");
  if (comment.empty()) comment = "Imported from " + query.get("fromSrc");
  oci::History entry;
  entry.created = to_rfc3339(now());
  entry.comment = comment;
  out.config.history.push_back(std::move(entry));
  return out;
}

void tell_imported(Services& services, const Import& import, const image::ImageInfo& info, const Tell& tell) {
  auto name = import.reference.empty() ? info.id : oci::Reference::parse(import.reference).familiar();
  publish(services, "image", "import", info.id, name);
  tell({{"status", info.id}});
}

task<> import_from(Services& services, Import import, std::string url, Tell tell) {
  tell({{"status", "Downloading from " + url}});
  auto file = co_await fetch_file(services, url);
  auto& images = services.engine().images();
  auto unpack = [&images, import, file] {
    return images.import(file->get(), import.reference, import.config, [](const image::Progress&) {});
  };
  auto info = co_await services.pool().run(unpack);
  tell_imported(services, import, info, tell);
}

task<> import_work(Services& services, http::Exchange* exchange, Import import, Tell tell) {
  auto& images = services.engine().images();
  auto unpack = [&images, import](int fd) {
    return images.import(fd, import.reference, import.config, [](const image::Progress&) {});
  };
  auto info = co_await with_body(*exchange, services.transfers(), unpack);
  tell_imported(services, import, info, tell);
}

}  // namespace

task<> import_image(Services& services, Call call) {
  auto import = import_of(call.query());
  auto* all = &services;
  auto* exchange = &call.exchange;
  auto source = call.query().get("fromSrc");
  if (source != "-") {
    if (source.find("://") == std::string::npos) source = "http://" + source;  // as Docker reads it
    auto work = [all, import, source](Tell tell) { return import_from(*all, import, source, std::move(tell)); };
    co_await stream_messages(call.exchange, work);
    co_return;
  }
  auto work = [all, exchange, import](Tell tell) { return import_work(*all, exchange, import, std::move(tell)); };
  co_await stream_messages(call.exchange, work);
}

std::vector<Route> image_archive_routes(Services& s) {
  constexpr auto kReads = Effect::reads;
  return {
      {"GET", "/images/get", "image.save", kReads, {}, with(s, get_many)},
      {"GET", "/images/{name...}/get", "image.save", kReads, {}, with(s, get_one)},
      {"POST", "/images/load", "image.load", Effect::changes, {}, with(s, load)},
  };
}

}  // namespace gantry::api::docker
