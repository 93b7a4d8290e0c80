#pragma once

#include <cstddef>

#include "gantry/base/async.h"
#include "gantry/base/error.h"

namespace gantry {

/// How many transfers may be under way at once. Used from one executor's thread; outlives every Transfer.
class TransferLimit {
 public:
  explicit TransferLimit(std::size_t limit) : limit_(limit) {}
  TransferLimit(const TransferLimit&) = delete;
  TransferLimit& operator=(const TransferLimit&) = delete;

 private:
  friend class Transfer;
  std::size_t limit_;
  std::size_t running_ = 0;
};

/// A thread for blocking work whose pace somebody outside sets: a client that reads an image, or sends one. It has it
/// for itself, so that slow clients hold up nobody else; the few threads of a WorkerPool would all wait for them.
class Transfer {
 public:
  /// Error unavailable: as many as may be are under way.
  explicit Transfer(TransferLimit& limit) : place_(limit), thread_(1) {}

  /// As WorkerPool::run.
  template <class F>
  task<std::invoke_result_t<F>> run(F function) {
    return thread_.run(std::move(function));
  }

 private:
  class Place {
   public:
    explicit Place(TransferLimit& limit) : limit_(limit) {
      if (limit_.running_ >= limit_.limit_)
        throw Error(ErrorKind::unavailable,
                    std::to_string(limit_.limit_) + " transfers of images and archives are under way",
                    "try again when one of them has ended");
      ++limit_.running_;
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() { --limit_.running_; }

   private:
    TransferLimit& limit_;
  };

  Place place_;
  WorkerPool thread_;
};

}  // namespace gantry
