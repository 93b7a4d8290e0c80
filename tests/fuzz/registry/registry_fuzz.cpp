// What registries and clients say. The first byte chooses: 'm' a manifest or index, 'c' a challenge, 'u' a URL and a
// location, 'a' credentials of a request, 'e' the body of an error.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "answers.h"
#include "challenge.h"
#include "gantry/base/error.h"
#include "gantry/registry/credentials.h"
#include "manifest.h"
#include "url.h"

namespace {

using namespace gantry;
using namespace gantry::registry;

void require(bool holds) {
  if (!holds) std::abort();
}

void manifest(std::string_view text) {
  if (kind_of_manifest(text, "") == ManifestKind::manifest) {
    for (const auto& layer : parse_manifest(text).layers) require(layer.digest.size() == 71);
    return;
  }
  auto index = parse_index(text);
  require(choose(index, Platform::parse("linux/amd64")).digest.size() == 71);
}

void url(std::string_view text) {
  auto line = text.find('\n');
  auto base = Url::parse(text.substr(0, line));
  require(Url::parse(base.str()).str() == base.str());
  if (line == std::string_view::npos) return;
  auto next = base.resolve(text.substr(line + 1));
  require(next.scheme == "http" || next.scheme == "https");
  require(next.authority.find('@') == std::string::npos);
}

void error(std::string_view text) {
  auto found = refusal({.status = 403, .headers = {}, .body = std::string(text)}, "x", "y", false);
  for (unsigned char c : found.message()) require(c >= 0x20);
}

void take(char kind, std::string_view text) {
  switch (kind) {
    case 'm':
      return manifest(text);
    case 'c':
      for (const auto& challenge : parse_challenges(text)) require(!challenge.scheme.empty());
      return;
    case 'u':
      return url(text);
    case 'a':
      if (auto found = parse_auth_header(text)) require(!found->empty());
      return;
    default:
      return error(text);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  try {
    take(static_cast<char>(data[0]), {reinterpret_cast<const char*>(data) + 1, size - 1});
  } catch (const Error& refused) {
    require(refused.kind() != ErrorKind::internal);
  }
  return 0;
}
