#include <algorithm>

#include "impl.h"

namespace gantry::engine {
namespace {

// More than a start has; a bound for what could only be a mistake.
constexpr std::size_t kMostSteps = 64;

std::chrono::nanoseconds steady_now() { return std::chrono::steady_clock::now().time_since_epoch(); }

}  // namespace

void Engine::Impl::begin_trace(Container& container) { container.trace.assign(1, {"asked for", steady_now()}); }

void Engine::Impl::step(Container& container, std::string_view name) const {
  auto colon = name.find(": ");
  auto word = colon == std::string_view::npos ? name : name.substr(colon + 2);
  if (container.trace.size() < kMostSteps) container.trace.push_back({std::string(word), steady_now()});
  step(name);
}

// What the engine marks is when a step begins, what the shim marks is when one is done: told alike, as the end of
// whatever came before it.
std::vector<StartStep> Engine::Impl::start_trace(const Container& container) {
  auto marks = container.trace;
  for (const auto& mark : container.shim_trace) marks.push_back({"shim: " + mark.name, mark.time});
  std::ranges::stable_sort(marks, {}, &runtime::Mark::time);
  std::vector<StartStep> out;
  for (std::size_t i = 0; i < marks.size(); ++i) {
    auto since = [&](std::size_t which) { return (marks[i].time - marks[which].time).count() / 1000; };
    out.push_back({marks[i].name, since(0), i == 0 ? 0 : since(i - 1)});
  }
  return out;
}

}  // namespace gantry::engine
