#pragma once

#include <boost/describe.hpp>

#include <string>
#include <vector>

#include "api.h"
#include "console.h"
#include "gantry/engine/types.h"
#include "progress.h"

namespace gantry::cli {

/// platform::Step, as the API sends it.
struct StackStep {
  std::string kind;
  std::string name;
  std::string status;
  std::string detail;
};
BOOST_DESCRIBE_STRUCT(StackStep, (), (kind, name, status, detail))

/// Steps of `up` and `down` as lines of a display.
class StackDisplay {
 public:
  explicit StackDisplay(Progress& progress) : progress_(progress) {}
  void show(const StackStep& step);

 private:
  Progress& progress_;
};
ProgressItem item_of(const StackStep& step);

/// What `up` says at its end: how much runs and what to open.
std::string stack_summary(const api::Stack& stack, const std::vector<engine::ContainerInfo>& containers,
                          const Console& console);

}  // namespace gantry::cli
