#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace gantry::image {

/// Threads that make files, shared by all layers that are received at a time: making a hundred thousand small files
/// takes longer than everything else about an image, and the kernel does it on several processors at once.
class WriterCrew {
 public:
  explicit WriterCrew(std::size_t threads);
  WriterCrew(const WriterCrew&) = delete;
  WriterCrew& operator=(const WriterCrew&) = delete;
  ~WriterCrew();

  /// The work of one layer: jobs in any order; the first failure counts, and what follows it is left out.
  class Group {
   public:
    explicit Group(WriterCrew& crew) : crew_(crew) {}
    Group(const Group&) = delete;
    Group& operator=(const Group&) = delete;
    /// Waits until its last job has ended.
    ~Group();
    /// Waits while there is much to do already. Throws an earlier job's failure.
    void post(std::function<void()> job);
    /// Waits until there is nothing left to do. Throws a job's failure.
    void wait();

   private:
    void run(const std::function<void()>& job);

    WriterCrew& crew_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::size_t open_ = 0;
    std::exception_ptr failure_;
  };

 private:
  void work();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace gantry::image
