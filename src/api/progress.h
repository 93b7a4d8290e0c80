#pragma once

#include <boost/json.hpp>

#include <functional>
#include <memory>
#include <string>

#include "gantry/base/async.h"
#include "gantry/base/http_server.h"

/// Progress streams: lines {"step":...}, at last {"result":...} (docs/api.md).
namespace gantry::api {

/// The lines between work that tells its progress by plain calls and a client that reads at its own speed. Holds a
/// bounded number of bytes; what comes when it is full is left out and counted. One executor.
class LineQueue {
 public:
  explicit LineQueue(asio::any_io_executor executor, std::size_t limit = 1u << 20)
      : executor_(std::move(executor)), limit_(limit) {}
  void push(std::string line);
  /// No more lines will come.
  void close();
  /// Everything that is there, at least one line; empty when closed and drained.
  task<std::string> take();

 private:
  void wake();

  asio::any_io_executor executor_;
  std::size_t limit_;
  std::string lines_;
  std::size_t skipped_ = 0;
  bool closed_ = false;
  std::shared_ptr<Event> waiting_;
};

/// Does `work` and closes the queue after what it told, also from worker threads.
template <class T>
task<> run_into(task<T> work, std::shared_ptr<LineQueue> queue, gantry::detail::Outcome<T>* outcome) {
  co_await gantry::detail::settle<T>(std::move(work), outcome);
  // What worker threads posted before the work ended is ahead of this in the executor's queue.
  co_await asio::post(asio::use_awaitable);
  queue->close();
}

/// Writes lines as they come, until the queue is closed; the answer begins with the first.
task<> write_lines(http::Exchange* exchange, std::shared_ptr<LineQueue> queue, std::string content_type);

/// Tells one step. May be called from any thread, also after the client has gone.
using TellStep = std::function<void(boost::json::value step)>;
/// Does the work, telling steps, and gives the result.
using ProgressWork = std::function<task<boost::json::value>(TellStep tell)>;

/// Runs `work` and streams what it tells. A failure before the first step is thrown while there is still a status to
/// give; a later one becomes the last line. When the client goes, `work` is cancelled (shield what must not be).
task<> stream_progress(http::Exchange& exchange, ProgressWork work);

}  // namespace gantry::api
