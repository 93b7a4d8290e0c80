#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>

#include "gantry/base/fd.h"

namespace gantry::distribution {

/// A blob on its way in from another registry: one thread writes it into a file, any number read what is there. Its
/// last byte is held back until all of it is known to be right and durable, so that no reader takes a blob for complete
/// that is not. Thread-safe.
class Arrival : public std::enable_shared_from_this<Arrival> {
 public:
  Arrival(std::filesystem::path file, std::uint64_t size);  ///< makes the file
  Arrival(const Arrival&) = delete;
  Arrival& operator=(const Arrival&) = delete;
  ~Arrival();

  /// Somebody who waits for it.
  class Reader {
   public:
    explicit Reader(std::shared_ptr<Arrival> arrival) : arrival_(std::move(arrival)) {}
    Reader(const Reader&) = delete;
    Reader& operator=(const Reader&) = delete;
    ~Reader() { arrival_->leave(); }
    /// Returns when there is something to answer with: a good part of it, or all. Throws what it failed with.
    void wait_for_begin() const { arrival_->wait_for_begin(); }
    void read(std::uint64_t first, std::uint64_t size, const std::function<void(std::string_view)>& sink) const {
      arrival_->read(first, size, sink);
    }
    std::uint64_t size() const { return arrival_->size_; }

   private:
    std::shared_ptr<Arrival> arrival_;
  };
  /// Empty when it has failed, or the last reader has left: then it has to be fetched anew.
  std::shared_ptr<Reader> join();

  // For the thread that writes.
  /// Throws Error (cancelled) when nobody waits for it any more.
  void append(std::string_view bytes);
  /// Everything is in the file, on the disk. Returns its path, which the file loses when it becomes a blob.
  std::filesystem::path finish();
  void publish();
  void fail(std::exception_ptr why);

 private:
  void leave();
  void wait_for_begin();
  void read(std::uint64_t first, std::uint64_t size, const std::function<void(std::string_view)>& sink);
  std::uint64_t readable() const;

  const std::filesystem::path file_;
  const std::uint64_t size_;
  Fd fd_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t there_ = 0;
  std::size_t readers_ = 0;
  bool left_ = false;  ///< by the last reader
  bool published_ = false;
  std::exception_ptr failure_;
};

}  // namespace gantry::distribution
