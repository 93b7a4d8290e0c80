#pragma once

#include <string>
#include <vector>

#include "context.h"
#include "gantry/engine/types.h"

namespace gantry::cli {

struct LogFlags {
  bool follow = false;
  bool timestamps = false;
  bool no_prefix = false;
  std::string tail;  ///< a number or "all"
  std::string since;
  std::string until;
};

/// Prints the logs of the containers to our standard output and error; with several of them each line begins with its
/// container's name. With `follow` until all have ended for good.
task<> print_logs(Context& context, std::vector<engine::ContainerInfo> containers, LogFlags flags);

/// Puts a prefix before each line, across pieces of any size.
class LinePrefixer {
 public:
  explicit LinePrefixer(std::string prefix) : prefix_(std::move(prefix)) {}
  /// The complete lines of what came so far.
  std::string feed(std::string_view text);
  /// What is left without its newline; one is added.
  std::string finish();

 private:
  std::string prefix_;
  std::string pending_;
};

}  // namespace gantry::cli
