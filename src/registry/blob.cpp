#include "blob.h"

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "piece.h"

namespace gantry::registry {
namespace {

// A large blob comes in pieces over several connections: registries and the networks before them limit what one
// connection brings. The pieces are handed on in order; those that came early wait in memory, at most `connections_`.
class Pieces {
 public:
  Pieces(Remote& remote, const BlobRequest& request, const Piece::Take& take, const Retries::Tell& tell)
      : remote_(remote),
        request_(request),
        take_(take),
        tell_([this, &tell](const std::string& why, std::chrono::milliseconds wait) {
          std::lock_guard lock(mutex_);
          if (tell) tell(why, wait);
        }),
        size_(remote.options().piece),
        count_((request.size + size_ - 1) / size_),
        slots_(count_) {
    for (std::size_t i = 0; i < std::min(remote.options().connections_of_a_layer, count_ - 1); ++i)
      threads_.emplace_back([this] { work(); });
  }
  Pieces(const Pieces&) = delete;
  Pieces& operator=(const Pieces&) = delete;
  ~Pieces() {
    fail(std::make_exception_ptr(Error(ErrorKind::cancelled, "the blob is not wanted any more")));
    for (auto& thread : threads_) thread.join();
  }

  /// Hands on everything behind the first piece.
  void hand_on() {
    for (std::size_t number = 1; number < count_; ++number) {
      std::string bytes;
      {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return slots_[number].there || failure_; });
        if (failure_) std::rethrow_exception(failure_);
        bytes = std::move(slots_[number].bytes);
        handed_on_ = number;
        changed_.notify_all();
      }
      take_(bytes);
    }
  }

 private:
  struct Slot {
    bool there = false;
    std::string bytes;
  };

  void work() {
    try {
      for (std::size_t number; (number = claim()) < count_;) {
        auto bytes = fetch(number);
        std::lock_guard lock(mutex_);
        slots_[number] = {true, std::move(bytes)};
        changed_.notify_all();
      }
    } catch (...) {
      fail(std::current_exception());
    }
  }
  std::size_t claim() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return failure_ || next_ >= count_ || next_ - handed_on_ <= threads_at_most(); });
    return failure_ ? count_ : next_++;
  }
  std::size_t threads_at_most() const { return remote_.options().connections_of_a_layer; }

  std::string fetch(std::size_t number) {
    auto first = number * size_;
    auto size = std::min(size_, request_.size - first);
    std::string bytes;
    bytes.reserve(size);
    Piece::Take collect = [&](std::string_view more) {
      bytes += more;
      std::lock_guard lock(mutex_);
      if (failure_) std::rethrow_exception(failure_);
    };
    Piece(remote_, request_, first, size, collect, tell_).fetch();
    return bytes;
  }
  void fail(std::exception_ptr why) {
    std::lock_guard lock(mutex_);
    if (!failure_) failure_ = why;
    changed_.notify_all();
  }

  Remote& remote_;
  const BlobRequest& request_;
  const Piece::Take& take_;
  const Retries::Tell tell_;
  const std::uint64_t size_;
  const std::size_t count_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Slot> slots_;
  std::size_t next_ = 1;
  std::size_t handed_on_ = 0;  ///< the number of the last piece that was
  std::exception_ptr failure_;
  std::vector<std::thread> threads_;
};

}  // namespace

void fetch_blob(Remote& remote, const BlobRequest& request, const std::function<void(std::string_view)>& take,
                const Retries::Tell& tell) {
  if (request.size == 0) return;
  const auto& options = remote.options();
  if (request.size <= 2 * options.piece || options.connections_of_a_layer < 2)
    return Piece(remote, request, 0, request.size, take, tell).fetch();
  // The first piece shows whether the server knows ranges.
  Piece first(remote, request, 0, options.piece, take, tell);
  if (!first.fetch_if_ranged()) return first.fetch();
  Pieces(remote, request, take, tell).hand_on();
}

std::string read_blob(Remote& remote, const BlobRequest& request) {
  std::string out;
  fetch_blob(remote, request, [&](std::string_view piece) { out += piece; }, {});
  if (auto digest = oci::Digest::of(out); digest != request.digest)
    throw Error(ErrorKind::invalid, request.what + ": what came has the digest " + digest.str(),
                "the registry is at fault; try again, or another mirror");
  return out;
}

}  // namespace gantry::registry
