#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

/// Users and groups of an image, from the text of its /etc/passwd and /etc/group (empty when it has none). Pure.
/// passwd(5), group(5); malformed lines are skipped, as the C library does.
namespace gantry::oci {

struct UserIds {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  ///< supplementary, without `gid`
  std::string home = "/";
  bool operator==(const UserIds&) const = default;
};

/// `spec` is what USER and `docker run --user` take: "", "name", "uid", "name:group", "uid:gid" and mixtures. A number
/// without an entry is itself, with group 0; a name without an entry is an Error (invalid) that names it. With a group
/// in `spec` there are no supplementary groups.
UserIds find_user(std::string_view passwd_text, std::string_view group_text, std::string_view spec);

/// Of groups by name or number. Error (invalid) for a name that is not there.
std::vector<gid_t> find_groups(std::string_view group_text, const std::vector<std::string>& names);

struct Owner {
  uid_t uid = 0;
  gid_t gid = 0;
  bool operator==(const Owner&) const = default;
};

/// The `--chown` of COPY and ADD. Like find_user, but a bare number is the group too.
Owner find_owner(std::string_view passwd_text, std::string_view group_text, std::string_view spec);

}  // namespace gantry::oci
