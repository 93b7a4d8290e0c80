#include "sign_in.h"

#include <boost/describe.hpp>

#include "answers.h"
#include "gantry/base/json.h"
#include "manifest.h"
#include "remote.h"

namespace gantry::registry {
namespace {

struct TagList {
  std::vector<std::string> tags;
};
BOOST_DESCRIBE_STRUCT(TagList, (), (tags))

// "https://index.docker.io/v1/" is what docker has always called Docker Hub.
std::string domain_of(std::string server) {
  for (std::string_view scheme : {"https://", "http://"})
    if (server.starts_with(scheme)) server.erase(0, scheme.size());
  server = server.substr(0, server.find('/'));
  return server.empty() || server == "index.docker.io" || server == "registry-1.docker.io" ? "docker.io" : server;
}

}  // namespace

std::string sign_in(const Options& options, const std::string& server, const Credentials& credentials, StopFlag& stop) {
  auto domain = domain_of(server);
  Transport transport(options, stop);
  Remote remote(transport, options, domain, "", credentials);
  Remote::Call call;
  call.path = "/";
  auto got = remote.call(call);
  remote.require_success(got.answer, "sign-in at " + domain);
  if (!remote.was_asked())
    throw Error(ErrorKind::invalid, "registry " + domain + " asks nobody to sign in", "use it without");
  return remote.refresh_token();
}

std::vector<std::string> list_tags(const Options& options, const std::string& repository,
                                   const std::optional<Credentials>& credentials, std::size_t limit, StopFlag& stop) {
  auto reference = oci::Reference::parse(repository);
  Transport transport(options, stop);
  Remote remote(transport, options, reference.domain, reference.path, credentials);
  return read_tags(remote, "tags of " + repository, limit);
}

std::vector<std::string> read_tags(Remote& remote, const std::string& what, std::size_t limit) {
  std::vector<std::string> out;
  Remote::Call call;
  call.path = "tags/list?n=1000";
  call.limit = kManifestLimit;
  while (out.size() < limit) {
    auto got = remote.call(call);
    remote.require_success(got.answer, what);
    auto page = json::from_text<TagList>(got.answer.body, what);
    out.insert(out.end(), page.tags.begin(), page.tags.end());
    auto next = next_page(got.answer.headers);
    if (next.empty() || page.tags.empty()) break;
    call.url = got.url.resolve(next).str();
  }
  if (out.size() > limit) out.resize(limit);
  return out;
}

}  // namespace gantry::registry
