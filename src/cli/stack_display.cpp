#include "stack_display.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "format.h"
#include "text.h"

namespace gantry::cli {
namespace {

// Statuses that say something is going on; "failed" is neither, all others are an end.
constexpr std::array<std::string_view, 7> kActive{"creating", "starting", "waiting",   "stopping",
                                                  "removing", "pulling",  "recreating"};

}  // namespace

ProgressItem item_of(const StackStep& step) {
  ProgressItem item;
  item.id = step.kind + " " + step.name;
  item.status = step.status;
  item.detail = step.detail;
  bool active = std::ranges::find(kActive, step.status) != kActive.end();
  item.mark = step.status == "failed" ? Mark::failed : active ? Mark::active : Mark::done;
  return item;
}

void StackDisplay::show(const StackStep& step) { progress_.update(item_of(step)); }

std::string stack_summary(const api::Stack& stack, const std::vector<engine::ContainerInfo>& containers,
                          const Console& console) {
  auto text = fmt::format("stack {}: {}, {}/{} containers running\n", console.paint(Colour::bold, stack.name),
                          stack.status, stack.running, stack.containers);
  auto open = addresses(containers);
  std::size_t width = 0;
  for (const auto& address : open) width = std::max(width, address.who.size());
  for (const auto& address : open)
    text += fmt::format("  {:<{}}  {}\n", address.who, width, console.paint(Colour::cyan, address.text));
  return text;
}

}  // namespace gantry::cli
