#include "gantry/oci/passwd.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "gantry/base/error.h"
#include "gantry/base/text.h"

namespace gantry::oci {

namespace {

std::optional<unsigned> number_in(std::string_view text) {
  unsigned value = 0;
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  // (uid_t)-1 means "no change" to chown(2) and setresuid(2), so it is no user.
  if (failed != std::errc() || end != text.data() + text.size() || value == ~0u) return std::nullopt;
  return value;
}

struct User {
  std::string_view name;
  uid_t uid;
  gid_t gid;
  std::string_view home;
};

struct Group {
  gid_t gid;
  std::vector<std::string_view> members;
};

// An entry is found by its name or, when the text is a number, by its number; the first line wins.
std::optional<User> find_entry(std::string_view passwd, std::string_view wanted) {
  auto id = number_in(wanted);
  for (auto line : split_views(passwd, '\n')) {
    auto fields = split_views(line, ':');
    if (fields.size() < 6 || fields[0].empty()) continue;
    auto uid = number_in(fields[2]);
    auto gid = number_in(fields[3]);
    if (uid && gid && (fields[0] == wanted || (id && *id == *uid))) return User{fields[0], *uid, *gid, fields[5]};
  }
  return std::nullopt;
}

template <class F>
void each_group(std::string_view text, F&& use) {
  for (auto line : split_views(text, '\n')) {
    auto fields = split_views(line, ':');
    if (fields.size() < 3 || fields[0].empty()) continue;
    if (auto gid = number_in(fields[2]))
      use(fields[0], Group{*gid, fields.size() > 3 ? split_views(fields[3], ',') : std::vector<std::string_view>{}});
  }
}

gid_t find_group(std::string_view group_text, std::string_view wanted) {
  auto id = number_in(wanted);
  std::optional<gid_t> found;
  each_group(group_text, [&](std::string_view name, const Group& group) {
    if (!found && (name == wanted || (id && *id == group.gid))) found = group.gid;
  });
  if (!found) found = id;
  if (!found)
    throw Error(ErrorKind::invalid, "group \"" + std::string(wanted) + "\" is not in the image's /etc/group",
                "create the group in the image or give its number");
  return *found;
}

std::vector<gid_t> groups_of(std::string_view group_text, const User& user) {
  std::vector<gid_t> groups;
  each_group(group_text, [&](std::string_view, const Group& group) {
    bool member = std::find(group.members.begin(), group.members.end(), user.name) != group.members.end();
    bool known = group.gid == user.gid || std::find(groups.begin(), groups.end(), group.gid) != groups.end();
    if (member && !known) groups.push_back(group.gid);
  });
  return groups;
}

[[noreturn]] void refuse_user(std::string_view name) {
  throw Error(ErrorKind::invalid, "user \"" + std::string(name) + "\" is not in the image's /etc/passwd",
              "create the user in the image or give its number");
}

}  // namespace

UserIds find_user(std::string_view passwd_text, std::string_view group_text, std::string_view spec) {
  auto colon = spec.find(':');
  auto name = spec.substr(0, colon);
  auto group = colon == std::string_view::npos ? std::string_view() : spec.substr(colon + 1);
  if (name.empty()) name = "0";
  UserIds ids;
  auto user = find_entry(passwd_text, name);
  if (user) {
    ids.uid = user->uid;
    ids.gid = user->gid;
    if (!user->home.empty()) ids.home = user->home;
    if (group.empty()) ids.groups = groups_of(group_text, *user);
  } else if (auto id = number_in(name)) {
    ids.uid = *id;
  } else {
    refuse_user(name);
  }
  if (!group.empty()) ids.gid = find_group(group_text, group);
  return ids;
}

std::vector<gid_t> find_groups(std::string_view group_text, const std::vector<std::string>& names) {
  std::vector<gid_t> out;
  for (const auto& name : names) out.push_back(find_group(group_text, name));
  return out;
}

Owner find_owner(std::string_view passwd_text, std::string_view group_text, std::string_view spec) {
  auto colon = spec.find(':');
  auto name = spec.substr(0, colon);
  auto group = colon == std::string_view::npos ? std::string_view() : spec.substr(colon + 1);
  Owner owner;
  if (auto id = number_in(name)) {
    owner = {*id, *id};
  } else if (auto user = find_entry(passwd_text, name); user && !name.empty()) {
    owner = {user->uid, user->gid};
  } else if (!name.empty()) {
    refuse_user(name);
  }
  if (!group.empty()) owner.gid = find_group(group_text, group);
  return owner;
}

}  // namespace gantry::oci
