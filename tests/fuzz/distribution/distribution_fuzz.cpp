// What clients send to the registry inside. The first byte chooses: 'q' requests to the real handlers on a real store
// ("METHOD TARGET", fields, an empty line, a body; the next after a line "---"; $U is the last upload, $D the last
// digest), 'm' a manifest, 'n' names, 'r' ranges. Whatever comes is answered or refused, never with an error of our
// own; what was taken comes back byte for byte, also after a collection.
#include <cstdlib>
#include <filesystem>
#include <iostream>

#include "exchange.h"
#include "gantry/base/files.h"
#include "gantry/content/content_store.h"
#include "manifest.h"
#include "names.h"
#include "registry/front.h"
#include "registry/ranges.h"

namespace {

using namespace gantry;
using namespace gantry::api;

void require(bool holds) {
  if (!holds) std::abort();
}

/// Kept for all inputs: making a store costs more than most of them.
class Server {
 public:
  Server() { registry_.recover(); }

  void serve(std::string_view text) {
    while (!text.empty()) {
      auto end = text.find("\n---\n");
      request(text.substr(0, end));
      text = end == std::string_view::npos ? "" : text.substr(end + 5);
    }
    if (++served_ % 100 == 0) collect();
  }

 private:
  std::string filled(std::string text) const {
    for (const auto& [name, value] : {std::pair("$U", upload_), std::pair("$D", digest_)})
      for (auto at = text.find(name); at != std::string::npos; at = text.find(name, at + value.size()))
        text.replace(at, 2, value);
    return text;
  }

  void request(std::string_view text) {
    auto split = text.find("\n\n");
    auto head = text.substr(0, split);
    std::string body(split == std::string_view::npos ? "" : text.substr(split + 2));
    http::Request out;
    auto line = head.substr(0, head.find('\n'));
    out.method = line.substr(0, line.find(' '));
    if (line.size() == out.method.size()) return;
    while (head.size() > line.size()) {
      head.remove_prefix(line.size() + 1);
      auto field = head.substr(0, head.find('\n'));
      auto colon = field.find(": ");
      if (colon != std::string_view::npos)
        out.headers.add(std::string(field.substr(0, colon)), std::string(field.substr(colon + 2)));
      line = field;
    }
    auto target = std::string(text.substr(out.method.size() + 1));
    digest_ = oci::Digest::of(body).str();
    out.target = http::parse_target(filled(target.substr(0, target.find('\n'))));
    OneExchange exchange(std::move(out), body);
    if (handle(exchange)) check(exchange, body);
  }

  // False: refused.
  bool handle(OneExchange& exchange) {
    auto match = router_.match(exchange.request().method, exchange.request().target);
    Principal principal;
    std::string object;
    Call call{exchange, match.parameters, principal, "default", &object};
    std::exception_ptr failure;
    asio::co_spawn(io_, match.route->handler(std::move(call)), [&](std::exception_ptr thrown) { failure = thrown; });
    io_.restart();
    io_.run();
    if (!failure) return true;
    auto error = to_error(failure);
    if (error.kind() == ErrorKind::internal) std::cerr << error.message() << "\n";
    require(error.kind() != ErrorKind::internal);
    require(!error.message().empty());
    return false;
  }

  void check(const OneExchange& exchange, const std::string& body) {
    require(exchange.status >= 200 && exchange.status < 300);
    const auto& request = exchange.request();
    if (request.method == "GET") require(exchange.answer.size() == exchange.length);
    if (auto id = exchange.headers.find("Docker-Upload-UUID"); id != exchange.headers.end()) upload_ = id->second;
    if (auto range = exchange.headers.find("Content-Range"); range != exchange.headers.end())
      require(range->second.starts_with("bytes ") && exchange.status == 206);
    if (request.method != "PUT" || exchange.status != 201) return;
    auto digest = exchange.headers.at("Docker-Content-Digest");
    if (request.target.path.find("/manifests/") != std::string::npos) require(digest == oci::Digest::of(body).str());
  }

  void collect() {
    registry_.collect(true, std::chrono::seconds(0));
    for (const auto& name : registry_.repositories(1000, "").names)
      for (const auto& tag : registry_.tags(name, 1000, "").names) {
        auto manifest = registry_.manifest(name, tag);
        require(oci::Digest::of(manifest.text) == manifest.digest);
        for (const auto& blob : distribution::parse_manifest(manifest.text, manifest.media_type).blobs) {
          auto open = registry_.open_blob(name, blob);
          require(oci::Digest::of(read_to_end(open.file()->get(), "blob", 1u << 20)).str() == blob);
        }
      }
  }

  TemporaryDirectory dir_{std::filesystem::temp_directory_path(), "gantry-fuzz-"};
  store::Database database_{dir_.path() / "db", {image::schema(), distribution::schema()}};
  content::ContentStore content_{dir_.path() / "content"};
  image::ImageStore images_{database_, content_, dir_.path() / "layers"};
  distribution::Distribution registry_{
      database_, images_, distribution::Options{.root = dir_.path() / "registry", .immutable = {"team/*:v*"}}};
  distribution::Mirror mirror_{registry_, {}};
  asio::io_context io_{1};
  WorkerPool pool_{1};
  TransferLimit transfers_{4};
  registry_front::Context context_{registry_, mirror_, pool_, transfers_, {}};
  Router router_{registry_front::routes(context_)};
  std::string upload_ = "none", digest_;
  unsigned served_ = 0;
};

void manifest(std::string_view text) {
  for (const char* type :
       {"application/vnd.oci.image.manifest.v1+json", "application/vnd.oci.image.index.v1+json", ""}) {
    try {
      auto parsed = distribution::parse_manifest(text, type);
      require(parsed.index ? parsed.blobs.empty() : parsed.manifests.empty());
      for (const auto& list : {parsed.blobs, parsed.manifests})
        for (const auto& digest : list) require(distribution::require_digest(digest).str() == digest);
    } catch (const distribution::RegistryError&) {
    }
  }
}

void names(const std::string& text) {
  // A name is used in addresses, a tag in none of our paths: neither leads anywhere else.
  if (distribution::is_tag(text)) require(text.find_first_of("/:%\n") == std::string::npos);
  distribution::require_repository(text);
  require(("/" + text + "/").find("/../") == std::string::npos && text.find("//") == std::string::npos);
}

void ranges(const std::string& text) {
  for (std::uint64_t size : {0ull, 1ull, 100ull, 1ull << 40}) {
    try {
      auto range = registry_front::parse_range(&text, size);
      if (range) require(range->size > 0 && range->first < size && range->size <= size - range->first);
    } catch (const distribution::RangeError&) {
    }
  }
  registry_front::parse_chunk_start(&text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Server server;
  if (size == 0) return 0;
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    switch (data[0]) {
      case 'q':
        server.serve(rest);
        break;
      case 'm':
        manifest(rest);
        break;
      case 'n':
        names(std::string(rest));
        break;
      default:
        ranges(std::string(rest));
    }
  } catch (const Error& error) {
    require(error.kind() != ErrorKind::internal);
  }
  return 0;
}
