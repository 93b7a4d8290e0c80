#include "gantry/api/access.h"

#include <grp.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace gantry::api {
namespace {

std::optional<gid_t> group_named(const std::string& name) {
  std::array<char, 16384> buffer{};
  group entry{};
  group* found = nullptr;
  if (::getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
    return std::nullopt;
  return entry.gr_gid;
}

}  // namespace

Principal PeerAuthenticator::authenticate(const http::Request& request) const {
  const auto& peer = request.peer;
  Principal principal;
  principal.name = peer.uid == 0 ? "root" : "uid " + std::to_string(peer.uid);
  principal.uid = peer.uid;
  // Who holds a certificate of the daemon's authority may do what root may: that is what it is given out for.
  if (peer.certificate) principal.name = "certificate " + *peer.certificate;
  principal.groups = peer.groups;
  principal.groups.push_back(peer.gid);
  principal.pid = peer.pid;
  return principal;
}

bool SocketAuthenticator::was_given(const engine::ContainerInfo& info) const {
  std::error_code ignored;
  auto own = std::filesystem::weakly_canonical(run_dir_, ignored);
  return std::ranges::any_of(info.spec.mounts, [&](const engine::Mount& mount) {
    if (mount.type != engine::MountType::bind) return false;
    auto source = std::filesystem::weakly_canonical(mount.source, ignored);
    return source == own || (source.parent_path() == own && source.extension() == ".sock");
  });
}

Principal SocketAuthenticator::authenticate(const http::Request& request) const {
  auto principal = PeerAuthenticator::authenticate(request);
  if (request.peer.certificate) return principal;
  for (const auto& info : engine_.containers_of_user(principal.uid)) {
    principal.name = "container " + info.spec.name;
    if (!was_given(info)) continue;
    principal.was_given_the_socket = true;
    break;
  }
  return principal;
}

LocalAuthorizer::LocalAuthorizer(std::string group) : group_(std::move(group)), group_id_(group_named(group_)) {}

void LocalAuthorizer::authorize(const Principal& principal, const Access& access) const {
  if (principal.uid == 0 || principal.uid == ::geteuid() || principal.was_given_the_socket) return;
  if (group_id_ && std::ranges::find(principal.groups, *group_id_) != principal.groups.end()) return;
  throw Error(ErrorKind::denied, principal.name + " may not " + access.action + " in project '" + access.project + "'",
              "run as root, or have the user added to the group '" + group_ + "'");
}

}  // namespace gantry::api
