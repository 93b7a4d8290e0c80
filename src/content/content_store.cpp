#include "gantry/content/content_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "gantry/base/error.h"
#include "gantry/base/files.h"
#include "gantry/base/ids.h"

namespace gantry::content {
namespace fs = std::filesystem;
namespace {

constexpr unsigned kDirectoryMode = 0700;
constexpr unsigned kBlobMode = 0600;
constexpr std::size_t kPiece = 256u << 10;

fs::path blobs(const fs::path& root) { return root / "sha256"; }
fs::path ingest(const fs::path& root) { return root / "ingest"; }
fs::path blob(const fs::path& root, const oci::Digest& digest) { return blobs(root) / digest.hex(); }

[[noreturn]] void not_there(const oci::Digest& digest) {
  throw Error(ErrorKind::not_found, "blob " + digest.str() + " is not in the content store");
}

}  // namespace

ContentStore::ContentStore(fs::path root) : root_(std::move(root)) {
  make_directories(blobs(root_), kDirectoryMode);
  make_directories(ingest(root_), kDirectoryMode);
}

bool ContentStore::has(const oci::Digest& digest) const { return ::access(blob(root_, digest).c_str(), F_OK) == 0; }

Fd ContentStore::open(const oci::Digest& digest) const {
  int raw = ::open(blob(root_, digest).c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (raw < 0 && errno == ENOENT) not_there(digest);
  if (raw < 0) throw_errno("open blob " + digest.str());
  return Fd(raw);
}

std::uint64_t ContentStore::size(const oci::Digest& digest) const {
  struct stat info {};
  if (::fstat(open(digest).get(), &info) < 0) throw_errno("inspect blob " + digest.str());
  return static_cast<std::uint64_t>(info.st_size);
}

std::string ContentStore::read(const oci::Digest& digest) const {
  Fd fd = open(digest);
  std::string data = read_to_end(fd.get(), "blob " + digest.str());
  if (oci::Digest::of(data) != digest)
    throw Error(ErrorKind::internal, "blob " + digest.str() + ": its content has changed on disk",
                "check the disk, then remove and make again the image that uses it");
  return data;
}

oci::Digest ContentStore::write(std::string_view data) {
  auto digest = oci::Digest::of(data);
  if (has(digest)) return digest;
  Writer pieces = writer();
  pieces.append(data);
  return pieces.commit(digest);
}

bool ContentStore::verify(const oci::Digest& digest) const {
  Fd fd = open(digest);
  oci::Hasher hasher;
  std::string buffer(kPiece, '\0');
  for (;;) {
    ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    if (n == 0) return hasher.finish() == digest;
    hasher.update({buffer.data(), static_cast<std::size_t>(n)});
  }
}

void ContentStore::replace(const oci::Digest& digest, std::string_view data) {
  Writer pieces = writer();
  pieces.append(data);
  pieces.commit(digest);
}

struct ContentStore::Writer::Impl {
  Impl(fs::path store_root, fs::path file)
      : root(std::move(store_root)),
        temporary(std::move(file)),
        fd(open_file(temporary.string(), O_WRONLY | O_CREAT | O_EXCL, kBlobMode)) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    if (fd) ::unlink(temporary.c_str());
  }

  fs::path root;
  fs::path temporary;
  Fd fd;  ///< open until committed
  oci::Hasher hasher;
};

ContentStore::Writer::Writer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ContentStore::Writer::Writer(Writer&&) noexcept = default;
ContentStore::Writer::~Writer() = default;

void ContentStore::Writer::append(std::string_view data) {
  impl_->hasher.update(data);
  write_all(impl_->fd.get(), data, "blob " + impl_->temporary.string());
}

oci::Digest ContentStore::Writer::commit(const std::optional<oci::Digest>& expected) {
  auto digest = impl_->hasher.finish();
  if (expected && *expected != digest)
    throw Error(ErrorKind::invalid, "blob " + expected->str() + ": what arrived has the digest " + digest.str());
  if (::fsync(impl_->fd.get()) < 0) throw_errno("sync blob " + digest.str());
  if (::rename(impl_->temporary.c_str(), blob(impl_->root, digest).c_str()) < 0)
    throw_errno("publish blob " + digest.str());
  impl_->fd.reset();
  sync_directory(blobs(impl_->root));
  return digest;
}

ContentStore::Writer ContentStore::writer() {
  return Writer(std::make_unique<Writer::Impl>(root_, ingest(root_) / random_hex(16)));
}

void ContentStore::adopt(const fs::path& file, const oci::Digest& digest) {
  if (::rename(file.c_str(), blob(root_, digest).c_str()) < 0) throw_errno("publish blob " + digest.str());
  sync_directory(blobs(root_));
}

void ContentStore::remove(const oci::Digest& digest) {
  if (::unlink(blob(root_, digest).c_str()) < 0 && errno != ENOENT) throw_errno("remove blob " + digest.str());
}

std::vector<oci::Digest> ContentStore::list() const {
  std::vector<oci::Digest> out;
  for (const auto& entry : fs::directory_iterator(blobs(root_)))
    out.push_back(oci::Digest::parse("sha256:" + entry.path().filename().string()));
  return out;
}

void ContentStore::recover() {
  for (const auto& entry : fs::directory_iterator(ingest(root_))) remove_tree(entry.path());
}

}  // namespace gantry::content
