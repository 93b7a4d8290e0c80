#pragma once

#include <deque>
#include <exception>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "gantry/base/process.h"
#include "gantry/image/image_store.h"

namespace gantry::image {

/// A running mmdebstrap: its tar on `output`, its messages read by a thread of its own and passed on as progress.
/// Neither it nor any mount or process it made survives this object, nor the end of the thread that made it. Its
/// directory in TMPDIR does when it is killed: give it one that is removed afterwards.
class Mmdebstrap {
 public:
  /// `arguments` follow the program's name. `environment` is added to this process's own. `suite` names the progress.
  /// Error unavailable when mmdebstrap is not installed.
  Mmdebstrap(const std::vector<std::string>& arguments, const std::vector<std::string>& environment, std::string suite,
             const ProgressSink& progress);
  Mmdebstrap(const Mmdebstrap&) = delete;
  Mmdebstrap& operator=(const Mmdebstrap&) = delete;
  ~Mmdebstrap();

  int output() const { return output_.get(); }
  /// The same sink, for use from the thread that reads `output`.
  ProgressSink progress();
  /// Reads and forgets what is left on `output`, and waits for the end. Error when it failed, with its own words.
  void finish();
  /// Throws what the sink threw in the other thread, if it did.
  void rethrow();

 private:
  void read_messages(int fd);
  void take(std::string line);
  void tell(const Progress& progress);
  void stop();
  [[noreturn]] void fail() const;

  std::string suite_;
  const ProgressSink& sink_;
  std::mutex mutex_;  ///< one progress message at a time, from two threads
  std::exception_ptr failure_;
  std::deque<std::string> last_lines_;
  Fd output_;
  std::unique_ptr<Child> child_;
  bool ended_ = false;
  std::thread reader_;
};

}  // namespace gantry::image
