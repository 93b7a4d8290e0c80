#include "gantry/volume/volume_store.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <set>

#include "gantry/base/error.h"
#include "gantry/base/files.h"
#include "gantry/base/json.h"
#include "gantry/base/log.h"

// The row comes first when a volume is made and goes first when it is removed, so that a crash leaves at worst a row
// that is not filled (its directory is made again by `ensure`) or a directory without a row (`recover` removes it).
namespace gantry::volume {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kColumns = "name, project, labels, anonymous, created, options";
// Not a valid volume name, so it cannot meet one.
constexpr std::string_view kTrash = ".trash";

VolumeInfo to_info(const store::Row& row, const fs::path& root) {
  VolumeInfo info;
  info.name = row.text(0);
  info.project = row.text(1);
  info.labels = json::from_text<std::map<std::string, std::string>>(row.text(2), "volume " + info.name);
  info.anonymous = row.number(3) != 0;
  info.created = from_rfc3339(row.text(4)).value_or(Timestamp{});
  info.options = json::from_text<std::map<std::string, std::string>>(row.text(5), "volume " + info.name);
  info.path = (root / info.name / "data").string();
  return info;
}

void add_users(store::Transaction& t, VolumeInfo& info) {
  t.query("SELECT container FROM volume_users WHERE volume=? ORDER BY container", {info.name},
          [&](const store::Row& row) { info.users.emplace_back(row.text(0)); });
}

std::optional<VolumeInfo> find(store::Transaction& t, const std::string& name, const fs::path& root) {
  std::optional<VolumeInfo> out;
  t.query("SELECT " + std::string(kColumns) + " FROM volumes WHERE name=?", {name},
          [&](const store::Row& row) { out = to_info(row, root); });
  if (out) add_users(t, *out);
  return out;
}

[[noreturn]] void not_there(const std::string& name) {
  throw Error(ErrorKind::not_found, "get " + name + ": no such volume", "see 'gantry volume ls' for those there are");
}

// Takes the directory's name away in one step; deleting what is in it may take long.
fs::path withdraw(const fs::path& root, const std::string& name) {
  fs::path trash = root / (std::string(kTrash) + "-" + random_hex(12));
  if (::rename((root / name).c_str(), trash.c_str()) < 0 && errno != ENOENT)
    throw_errno("remove directory of volume " + name);
  return trash;
}

[[noreturn]] void in_use(const VolumeInfo& info) {
  std::string users;
  for (const auto& user : info.users) users += (users.empty() ? "" : ", ") + user.str();
  throw Error(ErrorKind::conflict, "remove " + info.name + ": volume is in use - [" + users + "]",
              "remove the container first, with 'gantry rm'");
}

}  // namespace

store::Schema schema() {
  return {"volume",
          {R"(
CREATE TABLE volumes(
  name TEXT PRIMARY KEY, project TEXT NOT NULL, labels TEXT NOT NULL, anonymous INTEGER NOT NULL,
  created TEXT NOT NULL, filled INTEGER NOT NULL) STRICT;
CREATE TABLE volume_users(
  volume TEXT NOT NULL REFERENCES volumes(name), container TEXT NOT NULL, PRIMARY KEY(volume, container)) STRICT;
CREATE INDEX volume_users_container ON volume_users(container);
)",
           "ALTER TABLE volumes ADD COLUMN options TEXT NOT NULL DEFAULT '{}';"}};
}

VolumeStore::VolumeStore(store::Database& database, fs::path root) : database_(database), root_(std::move(root)) {
  make_directories(root_, 0711);
}

VolumeInfo VolumeStore::ensure(const VolumeSpec& spec, bool* fresh) {
  require_valid(spec);
  const auto& name = spec.name;
  bool made = false;
  bool unfilled = false;
  if (admit_) {
    // Outside the lock: it may take long to say no.
    bool there = database_.transaction(
        [&](store::Transaction& t) { return t.number("SELECT 1 FROM volumes WHERE name=?", {name}).has_value(); });
    if (!there) admit_(spec);
  }
  std::lock_guard lock(mutex_);
  auto info = database_.transaction([&](store::Transaction& t) {
    made =
        t.run("INSERT OR IGNORE INTO volumes VALUES(?, 'default', ?, ?, ?, 0, ?)",
              {name, json::to_text(spec.labels), spec.anonymous, to_rfc3339(now()), json::to_text(spec.options)}) > 0;
    unfilled = t.number("SELECT filled FROM volumes WHERE name=?", {name}) == 0;
    return *find(t, name, root_);
  });
  // A new volume never inherits what a removal could not take away.
  if (made) remove_tree(withdraw(root_, name));
  make_directories(info.path, 0755);
  if (unfilled) {
    sync_directory(root_ / name);
    sync_directory(root_);
  }
  if (fresh != nullptr) *fresh = unfilled;
  return info;
}

VolumeInfo VolumeStore::ensure(const std::string& name, std::map<std::string, std::string> labels, bool anonymous,
                               bool* fresh) {
  VolumeSpec spec;
  spec.name = name;
  spec.labels = std::move(labels);
  spec.anonymous = anonymous;
  return ensure(spec, fresh);
}

void VolumeStore::filled(const std::string& name) {
  int changed = database_.transaction(
      [&](store::Transaction& t) { return t.run("UPDATE volumes SET filled=1 WHERE name=?", {name}); });
  if (changed == 0) not_there(name);
}

VolumeInfo VolumeStore::inspect(const std::string& name) const {
  auto info = database_.transaction([&](store::Transaction& t) { return find(t, name, root_); });
  if (!info) not_there(name);
  return *info;
}

std::vector<VolumeInfo> VolumeStore::list() const {
  return database_.transaction([&](store::Transaction& t) {
    std::vector<VolumeInfo> out;
    t.query("SELECT " + std::string(kColumns) + " FROM volumes ORDER BY name", {},
            [&](const store::Row& row) { out.push_back(to_info(row, root_)); });
    std::map<std::string, std::vector<ContainerId>> users;
    t.query("SELECT volume, container FROM volume_users ORDER BY container", {},
            [&](const store::Row& row) { users[row.text(0)].emplace_back(row.text(1)); });
    for (auto& info : out) info.users = std::move(users[info.name]);
    return out;
  });
}

void VolumeStore::use(const std::string& name, const ContainerId& container) {
  database_.transaction([&](store::Transaction& t) {
    if (!find(t, name, root_)) not_there(name);
    t.run("INSERT OR IGNORE INTO volume_users VALUES(?, ?)", {name, container.str()});
  });
}

void VolumeStore::unuse(const ContainerId& container) {
  database_.transaction(
      [&](store::Transaction& t) { t.run("DELETE FROM volume_users WHERE container=?", {container.str()}); });
}

std::vector<std::string> VolumeStore::anonymous_of(const ContainerId& container) const {
  return database_.transaction([&](store::Transaction& t) {
    std::vector<std::string> out;
    t.query(
        "SELECT name FROM volumes JOIN volume_users ON volume=name WHERE container=? AND anonymous=1 AND NOT EXISTS"
        "(SELECT 1 FROM volume_users other WHERE other.volume=name AND other.container<>?) ORDER BY name",
        {container.str(), container.str()}, [&](const store::Row& row) { out.push_back(row.text(0)); });
    return out;
  });
}

void VolumeStore::remove(const std::string& name) {
  fs::path trash;
  {
    std::lock_guard lock(mutex_);
    auto info = database_.transaction([&](store::Transaction& t) {
      auto found = find(t, name, root_);
      if (!found) not_there(name);
      if (!found->users.empty()) in_use(*found);
      t.run("DELETE FROM volumes WHERE name=?", {name});
      return *found;
    });
    if (!info.options.empty()) unmount(info);
    trash = withdraw(root_, name);
  }
  remove_tree(trash);
}

std::vector<VolumeInfo> VolumeStore::prune(const std::function<bool(const VolumeInfo&)>& unwanted) {
  std::vector<VolumeInfo> out;
  for (const auto& info : list()) {
    if (!info.users.empty() || !unwanted(info)) continue;
    try {
      remove(info.name);
      out.push_back(info);
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::not_found && error.kind() != ErrorKind::conflict) throw;
    }
  }
  return out;
}

void VolumeStore::recover() {
  std::set<std::string> known;
  for (const auto& info : list()) known.insert(info.name);
  for (const auto& entry : fs::directory_iterator(root_)) {
    auto name = entry.path().filename().string();
    if (known.contains(name)) continue;
    log::info("volume {}: removing a directory that no volume owns", name);
    VolumeInfo gone;
    gone.path = (entry.path() / "data").string();
    unmount(gone);
    remove_tree(entry.path());
  }
}

}  // namespace gantry::volume
