#include "trace.h"

#include <algorithm>

#include "table.h"

namespace gantry::cli {
namespace {

constexpr std::int64_t kWidth = 40;

}  // namespace

std::string trace_text(const std::vector<engine::StartStep>& steps) {
  std::int64_t longest = 1;
  for (const auto& step : steps) longest = std::max(longest, step.took_micros);
  Table table({"AT (us)", "TOOK (us)", "STEP", ""});
  for (const auto& step : steps) {
    auto length = static_cast<std::size_t>(step.took_micros * kWidth / longest);
    table.add({std::to_string(step.at_micros), std::to_string(step.took_micros), step.name, std::string(length, '#')});
  }
  return table.text();
}

}  // namespace gantry::cli
