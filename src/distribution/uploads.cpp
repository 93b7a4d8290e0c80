#include "uploads.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <set>

#include "gantry/base/files.h"
#include "gantry/base/ids.h"
#include "gantry/base/log.h"
#include "rows.h"

namespace gantry::distribution {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMostUploads = 1000;
constexpr std::size_t kIdDigits = 32;
// The store and running containers need room, too; and with less than 64 MiB the daemon would not start again.
constexpr std::uint64_t kKeptFree = 96u << 20;
constexpr std::uint64_t kLookEvery = 16u << 20;  // bytes between two looks at it
constexpr std::size_t kReadSize = 1u << 20;

[[noreturn]] void unknown(const std::string& id) {
  throw RegistryError(Code::BLOB_UPLOAD_UNKNOWN, ErrorKind::not_found, "no upload " + id.substr(0, kIdDigits),
                      "begin it again");
}

bool is_id(const std::string& text) {
  return text.size() == kIdDigits && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

void require_space(int fd, std::uint64_t size) {
  struct statvfs info {};
  if (::fstatvfs(fd, &info) == 0 && info.f_bavail * info.f_frsize < kKeptFree + size)
    throw RegistryError(Code::UNKNOWN, ErrorKind::exhausted, "the registry's disk is full",
                        "'gantry registry gc' and 'gantry image prune' give space back");
}

}  // namespace

struct Uploads::Session {
  std::mutex mutex;  ///< one request at a time works on it
  std::string repository;
  fs::path file;
  Fd fd;
  oci::Hasher hasher;
  std::uint64_t offset = 0;
  std::uint64_t looked = 0;  ///< offset at the last look at the disk
  bool over = false;

  Session(std::string repository_in, fs::path file_in, bool fresh)
      : repository(std::move(repository_in)), file(std::move(file_in)) {
    fd = open_file(file.string(), O_RDWR | (fresh ? O_CREAT | O_EXCL : 0), 0600);
    std::string buffer(fresh ? 0 : kReadSize, '\0');
    while (!fresh) {
      ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
      if (n < 0) throw_errno("read the upload " + file.string());
      if (n == 0) break;
      hasher.update({buffer.data(), static_cast<std::size_t>(n)});
      offset += static_cast<std::uint64_t>(n);
    }
  }
};

Uploads::Uploads(store::Database& database, fs::path directory)
    : database_(database), directory_(std::move(directory)) {
  make_directories(directory_, 0700);
}

void Uploads::recover() {
  auto list = database_.transaction([](store::Transaction& t) { return rows::uploads(t); });
  std::set<std::string> known;
  for (const auto& upload : list) {
    if (fs::exists(directory_ / upload.id))
      known.insert(upload.id);
    else
      forget(upload.id);
  }
  for (const auto& entry : fs::directory_iterator(directory_))
    if (!known.contains(entry.path().filename().string())) remove_tree(entry.path());
}

std::string Uploads::begin(const std::string& repository) {
  auto id = random_hex(kIdDigits);
  std::lock_guard lock(mutex_);
  if (sessions_.size() >= kMostUploads)
    throw RegistryError(Code::TOOMANYREQUESTS, ErrorKind::unavailable, "too many uploads are open", "try again later");
  auto session = std::make_shared<Session>(repository, directory_ / id, true);
  require_space(session->fd.get(), 0);
  // Not waited for: after a crash of the machine the client begins again.
  database_.write([&](store::Transaction& t) { rows::insert_upload(t, {id, repository}); });
  sessions_[id] = std::move(session);
  return id;
}

std::shared_ptr<Uploads::Session> Uploads::find(const std::string& repository, const std::string& id) {
  if (!is_id(id)) unknown(id);
  std::lock_guard lock(mutex_);
  auto& session = sessions_[id];
  if (!session) {
    // Of before the last start of the daemon.
    auto row = database_.transaction([&](store::Transaction& t) { return rows::upload(t, id); });
    if (row && fs::exists(directory_ / id))
      session = std::make_shared<Session>(row->repository, directory_ / id, false);
  }
  if (!session) sessions_.erase(id);
  auto found = sessions_.find(id);
  if (found == sessions_.end() || found->second->repository != repository) unknown(id);
  return found->second;
}

void Uploads::forget(const std::string& id) {
  {
    std::lock_guard lock(mutex_);
    sessions_.erase(id);
  }
  database_.write([&](store::Transaction& t) { rows::delete_upload(t, id); });
}

std::uint64_t Uploads::offset(const std::string& repository, const std::string& id) {
  auto session = find(repository, id);
  std::lock_guard lock(session->mutex);
  return session->offset;
}

std::uint64_t Uploads::append(const std::string& repository, const std::string& id, std::optional<std::uint64_t> at,
                              std::string_view data) {
  auto session = find(repository, id);
  std::unique_lock lock(session->mutex);
  if (session->over) unknown(id);
  if (at && *at != session->offset)
    throw RangeError("the upload stands at " + std::to_string(session->offset) + ", not at " + std::to_string(*at));
  try {
    if (session->offset == 0 || session->offset + data.size() - session->looked >= kLookEvery) {
      require_space(session->fd.get(), data.size());
      session->looked = session->offset;
    }
    write_all(session->fd.get(), data, "upload " + id);
  } catch (const Error&) {
    // Who says where it stands can go on from there when there is room again. Others begin anew, and what is kept of
    // theirs would only keep the disk full.
    auto good = static_cast<off_t>(session->offset);
    if (at && ::ftruncate(session->fd.get(), good) == 0 && ::lseek(session->fd.get(), good, SEEK_SET) == good) throw;
    session->over = true;
    ::unlink(session->file.c_str());
    lock.unlock();
    forget(id);
    throw;
  }
  session->hasher.update(data);
  session->offset += data.size();
  return session->offset;
}

Uploads::Finished Uploads::finish(const std::string& repository, const std::string& id, const oci::Digest& digest) {
  auto session = find(repository, id);
  std::unique_lock lock(session->mutex);
  if (session->over) unknown(id);
  session->over = true;
  auto came = session->hasher.finish();
  bool good = came == digest;
  if (!good) ::unlink(session->file.c_str());
  if (good && ::fsync(session->fd.get()) < 0) throw_errno("sync the upload " + id);
  lock.unlock();
  forget(id);
  if (!good)
    throw RegistryError(Code::DIGEST_INVALID, ErrorKind::invalid,
                        "what came has the digest " + came.str() + ", not " + digest.str(), "send it again");
  return {session->file, session->offset};
}

void Uploads::cancel(const std::string& repository, const std::string& id) {
  auto session = find(repository, id);
  {
    std::lock_guard lock(session->mutex);
    if (session->over) unknown(id);
    session->over = true;
    ::unlink(session->file.c_str());
  }
  forget(id);
}

std::uint64_t Uploads::expire(std::int64_t before, std::uint64_t& bytes) {
  std::uint64_t count = 0;
  for (const auto& upload : database_.transaction([](store::Transaction& t) { return rows::uploads(t); })) {
    struct stat info {};
    if (::stat((directory_ / upload.id).c_str(), &info) < 0 || info.st_mtim.tv_sec >= before) continue;
    try {
      cancel(upload.repository, upload.id);
    } catch (const RegistryError&) {
      continue;  // it has just ended by itself
    }
    log::info("upload {} to {}: ended, nothing came any more", upload.id, upload.repository);
    bytes += static_cast<std::uint64_t>(info.st_size);
    ++count;
  }
  return count;
}

}  // namespace gantry::distribution
