#include "usage_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "gantry/base/time.h"
#include "table.h"
#include "text.h"

namespace gantry::cli {
namespace {

std::uint64_t since(std::uint64_t before, std::uint64_t now) { return now > before ? now - before : 0; }

std::uint64_t sum_of(const std::vector<DeviceCount>& counts, std::string_view operation) {
  std::uint64_t out = 0;
  for (const auto& count : counts)
    if (count.operation == operation) out += count.value;
  return out;
}

std::string time_text(Duration time) {
  auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time).count();
  return fmt::format("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

std::vector<std::string> row(const Reading& reading) {
  const auto& now = reading.now;
  std::uint64_t received = 0, sent = 0;
  for (const auto& [name, count] : now.networks) received += count.rx_bytes, sent += count.tx_bytes;
  auto limit = now.memory_limit == 0 ? std::string("-") : human_bytes(now.memory_limit);
  auto share =
      now.memory_limit == 0
          ? std::string("-")
          : fmt::format("{:.1f}%", 100.0 * static_cast<double>(now.memory) / static_cast<double>(now.memory_limit));
  return {reading.name,
          fmt::format("{:.1f}%", cpu_percent(reading)),
          human_bytes(now.memory) + " / " + limit,
          share,
          human_bytes(received) + " / " + human_bytes(sent),
          human_bytes(sum_of(now.io_bytes, "read")) + " / " + human_bytes(sum_of(now.io_bytes, "write")),
          std::to_string(now.pids)};
}

}  // namespace

double cpu_percent(const Reading& reading) {
  auto own = since(reading.before.cpu_nanos, reading.now.cpu_nanos);
  auto host = since(reading.before.host_cpu_nanos, reading.now.host_cpu_nanos);
  if (host == 0 || reading.before.time == Timestamp{}) return 0;
  return 100.0 * static_cast<double>(own) / static_cast<double>(host) * reading.now.processors;
}

std::string stats_table(const std::map<std::string, Reading>& readings) {
  std::vector<const Reading*> sorted;
  for (const auto& [id, reading] : readings) sorted.push_back(&reading);
  std::ranges::sort(sorted, {}, [](const auto* reading) { return reading->name; });
  Table table({"NAME", "CPU", "MEMORY / LIMIT", "MEMORY", "NET IN / OUT", "DISK READ / WRITTEN", "PROCESSES"});
  for (const auto* reading : sorted) table.add(row(*reading));
  return table.text();
}

std::string process_table(const std::vector<ProcessInfo>& processes) {
  Table table({"PID", "PARENT", "UID", "STATE", "TERMINAL", "STARTED", "CPU TIME", "MEMORY", "COMMAND"});
  for (const auto& process : processes)
    table.add({std::to_string(process.pid), std::to_string(process.parent), std::to_string(process.uid), process.state,
               process.terminal, to_rfc3339(process.started).substr(0, 19), time_text(process.cpu),
               human_bytes(process.memory), one_line(process.command)});
  return table.text();
}

}  // namespace gantry::cli
