#include "arrival.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "gantry/base/error.h"

namespace gantry::distribution {
namespace {

// Up to here a failure can still be told with a status, and most configurations are smaller.
constexpr std::uint64_t kBegin = 1u << 20;
constexpr std::uint64_t kPiece = 256u << 10;

}  // namespace

Arrival::Arrival(std::filesystem::path file, std::uint64_t size)
    : file_(std::move(file)), size_(size), fd_(open_file(file_.string(), O_RDWR | O_CREAT | O_EXCL, 0600)) {}

Arrival::~Arrival() {
  if (!published_) ::unlink(file_.c_str());
}

std::shared_ptr<Arrival::Reader> Arrival::join() {
  std::lock_guard lock(mutex_);
  if (failure_ || left_) return nullptr;
  ++readers_;
  return std::make_shared<Reader>(shared_from_this());
}

void Arrival::leave() {
  std::lock_guard lock(mutex_);
  left_ = --readers_ == 0 && !published_;
}

void Arrival::append(std::string_view bytes) {
  {
    std::lock_guard lock(mutex_);
    if (failure_) std::rethrow_exception(failure_);
    if (left_) throw Error(ErrorKind::cancelled, "nobody waits for the blob any more");
  }
  write_all(fd_.get(), bytes, "blob from another registry " + file_.filename().string());
  std::lock_guard lock(mutex_);
  there_ += bytes.size();
  changed_.notify_all();
}

std::filesystem::path Arrival::finish() {
  if (::fsync(fd_.get()) < 0) throw_errno("sync " + file_.string());
  return file_;
}

void Arrival::publish() {
  std::lock_guard lock(mutex_);
  published_ = true;
  changed_.notify_all();
}

void Arrival::fail(std::exception_ptr why) {
  std::lock_guard lock(mutex_);
  if (published_) return;
  if (!failure_) failure_ = std::move(why);
  ::unlink(file_.c_str());  // readers that have not noticed yet do not keep it on the disk
  changed_.notify_all();
}

std::uint64_t Arrival::readable() const {
  if (published_) return size_;
  return std::min(there_, size_ == 0 ? 0 : size_ - 1);
}

void Arrival::wait_for_begin() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return failure_ || published_ || readable() >= kBegin; });
  if (failure_) std::rethrow_exception(failure_);
}

void Arrival::read(std::uint64_t first, std::uint64_t size, const std::function<void(std::string_view)>& sink) {
  std::string buffer(std::min(size, kPiece), '\0');
  for (auto end = first + size; first < end;) {
    std::uint64_t count = 0;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return failure_ || readable() > first; });
      if (readable() <= first) std::rethrow_exception(failure_);
      count = std::min<std::uint64_t>({readable() - first, end - first, kPiece});
    }
    ssize_t n = ::pread(fd_.get(), buffer.data(), count, static_cast<off_t>(first));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno("read " + file_.string());
    if (n == 0) throw Error(ErrorKind::internal, "a blob that comes is shorter than what was written");
    sink({buffer.data(), static_cast<std::size_t>(n)});
    first += static_cast<std::uint64_t>(n);
  }
}

}  // namespace gantry::distribution
