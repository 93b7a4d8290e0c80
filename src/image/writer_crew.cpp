#include "writer_crew.h"

#include <pthread.h>

namespace gantry::image {
namespace {

constexpr std::size_t kMostOpen = 64;  // jobs of a group; one is some hundred kilobytes of files

}  // namespace

WriterCrew::WriterCrew(std::size_t threads) {
  for (std::size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this] { work(); });
    ::pthread_setname_np(threads_.back().native_handle(), "layer-write");
  }
}

WriterCrew::~WriterCrew() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
    changed_.notify_all();
  }
  for (auto& thread : threads_) thread.join();
}

void WriterCrew::work() {
  for (;;) {
    std::function<void()> job;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return !jobs_.empty() || ending_; });
      if (jobs_.empty()) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job();
  }
}

WriterCrew::Group::~Group() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return open_ == 0; });
}

void WriterCrew::Group::run(const std::function<void()>& job) {
  bool skip = false;
  {
    std::lock_guard lock(mutex_);
    skip = failure_ != nullptr;
  }
  std::exception_ptr failure;
  try {
    if (!skip) job();
  } catch (...) {
    failure = std::current_exception();
  }
  std::lock_guard lock(mutex_);
  if (failure && !failure_) failure_ = failure;
  --open_;
  changed_.notify_all();
}

void WriterCrew::Group::post(std::function<void()> job) {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return open_ < kMostOpen || failure_; });
    if (failure_) std::rethrow_exception(failure_);
    ++open_;
  }
  std::lock_guard lock(crew_.mutex_);
  crew_.jobs_.push_back([this, job = std::move(job)] { run(job); });
  crew_.changed_.notify_one();
}

void WriterCrew::Group::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return open_ == 0; });
  if (failure_) std::rethrow_exception(failure_);
}

}  // namespace gantry::image
