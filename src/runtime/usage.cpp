#include "usage.h"

#include <fmt/format.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <optional>
#include <sstream>

#include "gantry/base/error.h"
#include "gantry/base/files.h"

// Formats: proc(5).
namespace gantry::runtime {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

std::uint64_t tick_nanos() {
  static const std::uint64_t length = kSecond / static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  return length;
}

Timestamp boot_time() {
  static const Timestamp boot = [] {
    auto text = read_file("/proc/stat");
    auto at = text.find("\nbtime ");
    auto seconds = at == std::string::npos ? 0 : std::strtoll(text.c_str() + at + 7, nullptr, 10);
    return Timestamp(std::chrono::seconds(seconds));
  }();
  return boot;
}

std::optional<std::string> read_of(pid_t pid, const char* file) {
  try {
    return read_file_if_exists(fmt::format("/proc/{}/{}", pid, file));
  } catch (const Error&) {
    return std::nullopt;  // it ended while it was read (ESRCH)
  }
}

// Device numbers of terminals: Documentation/admin-guide/devices.txt.
std::string terminal_name(unsigned long device) {
  constexpr unsigned kFirstPts = 136, kLastPts = 143, kPtsOfOne = 256, kConsole = 4;
  unsigned number = major(device), sub = minor(device);
  if (number >= kFirstPts && number <= kLastPts) return fmt::format("pts/{}", (number - kFirstPts) * kPtsOfOne + sub);
  if (number == kConsole) return fmt::format("tty{}", sub);
  return "?";
}

// What the process's own user namespace calls its user.
std::uint32_t uid_inside(pid_t pid, std::uint32_t host) {
  std::istringstream map(read_of(pid, "uid_map").value_or(""));
  for (std::uint64_t inside, outside, count; map >> inside >> outside >> count;)
    if (host >= outside && host - outside < count) return static_cast<std::uint32_t>(inside + (host - outside));
  return host;
}

std::optional<ProcessInfo> describe(pid_t pid) {
  auto stat = read_of(pid, "stat");
  auto status = read_of(pid, "status");
  if (!stat || !status) return std::nullopt;
  auto open = stat->find('('), close = stat->rfind(')');
  if (open == std::string::npos || close == std::string::npos) return std::nullopt;
  std::istringstream fields(stat->substr(close + 1));
  // From the third field on: state, parent, ..., terminal (7), ..., user and kernel ticks (14, 15), ..., start (22),
  // ..., pages in memory (24).
  std::string state;
  std::array<long long, 25> number{};
  fields >> state;
  for (std::size_t i = 4; i < number.size(); ++i) fields >> number[i];
  ProcessInfo out;
  out.pid = pid;
  out.state = state;
  out.parent = number[4];
  out.terminal = number[7] == 0 ? "?" : terminal_name(static_cast<unsigned long>(number[7]));
  out.cpu = Duration((number[14] + number[15]) * static_cast<std::int64_t>(tick_nanos()));
  out.started = boot_time() + Duration(number[22] * static_cast<std::int64_t>(tick_nanos()));
  out.memory = static_cast<std::uint64_t>(number[24]) * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  if (auto at = status->find("\nUid:"); at != std::string::npos)
    out.uid = uid_inside(pid, static_cast<std::uint32_t>(std::strtoul(status->c_str() + at + 5, nullptr, 10)));
  out.command = read_of(pid, "cmdline").value_or("");
  while (!out.command.empty() && out.command.back() == '\0') out.command.pop_back();
  std::ranges::replace(out.command, '\0', ' ');
  if (out.command.empty()) out.command = "[" + stat->substr(open + 1, close - open - 1) + "]";
  return out;
}

}  // namespace

std::map<std::string, InterfaceCount> parse_interfaces(const std::string& text) {
  std::map<std::string, InterfaceCount> out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    auto colon = line.find(':');
    if (colon == std::string::npos) continue;  // the two lines of headings
    auto name = line.substr(0, colon);
    name.erase(0, name.find_first_not_of(' '));
    if (name == "lo") continue;
    std::istringstream numbers(line.substr(colon + 1));
    std::array<std::uint64_t, 12> value{};
    for (auto& one : value) numbers >> one;
    out[name] = {value[0], value[1], value[2], value[3], value[8], value[9], value[10], value[11]};
  }
  return out;
}

std::map<std::string, InterfaceCount> network_usage(pid_t pid) {
  return parse_interfaces(read_of(pid, "net/dev").value_or(""));
}

HostCpu host_cpu() {
  HostCpu out;
  std::istringstream words(read_file("/proc/stat"));
  std::string name;
  words >> name;
  // user, nice, system, idle, iowait, irq, softirq, steal; guest time is in user already.
  std::uint64_t ticks = 0, value = 0;
  for (int i = 0; i < 8 && words >> value; ++i) ticks += value;
  out.nanos = ticks * tick_nanos();
  out.processors = static_cast<std::uint32_t>(::sysconf(_SC_NPROCESSORS_ONLN));
  return out;
}

std::vector<ProcessInfo> describe_processes(const std::vector<pid_t>& pids) {
  std::vector<ProcessInfo> out;
  for (pid_t pid : pids)
    if (auto process = describe(pid)) out.push_back(std::move(*process));
  return out;
}

}  // namespace gantry::runtime
