#include "upload.h"

#include <cstring>
#include <optional>
#include <thread>

#include "answers.h"
#include "gantry/base/bounded_queue.h"

namespace gantry::registry {
namespace {

constexpr std::size_t kPiecesWaiting = 16;
constexpr std::size_t kPiece = 128u << 10;

Remote::Call pushing(std::string method, std::string path) {
  Remote::Call call;
  call.method = std::move(method);
  call.path = std::move(path);
  call.pushes = true;
  return call;
}

// Where the upload that `got` began goes on.
std::string location(const Remote& remote, const Remote::Got& got) {
  const auto* field = got.answer.headers.find("Location");
  if (field == nullptr)
    throw Error(ErrorKind::invalid, remote.registry() + " begins an upload without saying where (no Location)");
  return got.url.resolve(*field).str();
}

std::string begin_upload(Remote& remote) {
  auto got = remote.call(pushing("POST", "blobs/uploads/"));
  remote.require_success(got.answer, "upload to " + remote.repository());
  return location(remote, got);
}

Remote::Call closing(const std::string& url, const std::string& digest) {
  auto call = pushing("PUT", "");
  http::Query query;
  query.add("digest", digest);
  call.url = url + (url.find('?') == std::string::npos ? "?" : "&") + query.encode();
  call.headers.emplace_back("Content-Type", "application/octet-stream");
  return call;
}

/// What a thread makes, as libcurl asks for it.
class Producer {
 public:
  explicit Producer(const BlobMaker& make) {
    thread_ = std::thread([this, &make] {
      try {
        make([this](std::string_view piece) { take(piece); });
        if (!collected_.empty()) queue_.push(std::move(collected_));
        queue_.close();
      } catch (...) {
        queue_.fail(std::current_exception());
      }
    });
  }
  Producer(const Producer&) = delete;
  Producer& operator=(const Producer&) = delete;
  ~Producer() {
    queue_.fail(std::make_exception_ptr(Error(ErrorKind::cancelled, "the upload has ended")));
    thread_.join();
  }

  std::size_t read(char* buffer, std::size_t size) {
    if (left_.empty()) {
      auto next = queue_.pop();
      if (!next) return 0;
      current_ = std::move(*next);
      left_ = current_;
    }
    auto count = std::min(size, left_.size());
    std::memcpy(buffer, left_.data(), count);
    left_.remove_prefix(count);
    sent_ += count;
    return count;
  }
  std::uint64_t sent() const { return sent_; }
  /// After the end of what was read.
  oci::Digest digest() { return hasher_.finish(); }

 private:
  void take(std::string_view piece) {
    hasher_.update(piece);
    collected_ += piece;
    if (collected_.size() >= kPiece) queue_.push(std::exchange(collected_, {}));
  }

  BoundedQueue<std::string> queue_{kPiecesWaiting};
  oci::Hasher hasher_;
  std::string collected_;
  std::string current_;
  std::string_view left_;
  std::uint64_t sent_ = 0;
  std::thread thread_;
};

Sent attempt_stream(Remote& remote, const std::string& what, const BlobMaker& make,
                    const std::function<void(std::uint64_t)>& at) {
  auto call = pushing("PATCH", "");
  call.url = begin_upload(remote);
  call.headers.emplace_back("Content-Type", "application/octet-stream");
  Producer producer(make);
  call.upload = [&](char* buffer, std::size_t size) {
    auto count = producer.read(buffer, size);
    at(producer.sent());
    return count;
  };
  auto got = remote.attempt(call);
  if (is_temporary(got.answer.status))
    throw TransportError(refusal(got.answer, what, remote.registry(), remote.has_credentials()),
                         TransportError::Cause::lost);
  remote.require_success(got.answer, what);
  Sent sent{producer.digest().str(), producer.sent()};
  auto end = remote.call(closing(location(remote, got), sent.digest));
  remote.require_success(end.answer, what);
  return sent;
}

}  // namespace

bool has_blob(Remote& remote, const std::string& digest) {
  auto call = pushing("HEAD", "blobs/" + digest);
  auto got = remote.call(std::move(call));
  if (got.answer.status == 404) return false;
  remote.require_success(got.answer, "repository " + remote.repository());
  return true;
}

bool mount_blob(Remote& remote, const std::string& digest, const std::string& from) {
  http::Query query;
  query.add("mount", digest);
  query.add("from", from);
  auto call = pushing("POST", "blobs/uploads/?" + query.encode());
  call.also_pull = from;
  auto got = remote.call(std::move(call));
  if (got.answer.status == 201) return true;
  if (got.answer.status != 202) return false;
  // It has begun an upload instead, which nobody will go on with.
  auto cancel = pushing("DELETE", "");
  cancel.url = location(remote, got);
  remote.attempt(cancel);
  return false;
}

void upload_blob(Remote& remote, const std::string& data, const std::string& digest) {
  auto call = closing(begin_upload(remote), digest);
  call.body = data;
  auto got = remote.call(std::move(call));
  remote.require_success(got.answer, "upload to " + remote.repository());
}

Sent upload_stream(Remote& remote, const std::string& what, const BlobMaker& make,
                   const std::function<void(std::uint64_t)>& at, const Retries::Tell& tell) {
  Retries retries(remote.options(), remote.stop(), tell);
  for (;;) {
    try {
      return attempt_stream(remote, what, make, at);
    } catch (const TransportError& error) {
      if (!error.temporary()) throw Error(error);
      retries.after(error);
    }
  }
}

}  // namespace gantry::registry
