#include "doctor.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "gantry/base/process.h"
#include "table.h"

namespace gantry::cli {
namespace {

constexpr auto kCheckLimit = std::chrono::seconds(60);

std::string daemon_program() {
  std::error_code failed;
  auto self = std::filesystem::read_symlink("/proc/self/exe", failed);
  auto beside = self.parent_path() / "gantryd";
  return !failed && ::access(beside.c_str(), X_OK) == 0 ? beside.string() : "gantryd";
}

/// What `gantryd --check` finds, for when it is not running. It ends with a failure when a check fails, and still
/// prints its findings.
boost::json::value check_without_daemon() {
  auto checked = run_captured({.argv = {daemon_program(), "--check", "--format", "json"}}, {}, kCheckLimit);
  if (checked.out.empty())
    throw Error(ErrorKind::unavailable,
                fmt::format("gantryd --check ended with status {}: {}", checked.status.code, checked.err));
  return json::parse(checked.out, "the output of gantryd --check");
}

Colour colour_of(const std::string& verdict) {
  if (verdict == "ok") return Colour::green;
  return verdict == "warning" ? Colour::yellow : Colour::red;
}

boost::json::value daemon_finding(const Error& error) {
  return json::to(
      api::HostFinding{"daemon", "failure", error.message(),
                       error.fix().empty() ? "start it: systemctl start gantry, or run gantryd" : error.fix()});
}

task<boost::json::value> collect(const http::Client& client) {
  std::optional<Error> unreachable;
  try {
    co_return co_await api::get(client, "/v1/doctor");
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::unavailable) throw;
    unreachable = error;
  }
  auto findings = check_without_daemon();
  findings.as_array().push_back(daemon_finding(*unreachable));
  co_return findings;
}

}  // namespace

std::string doctor_text(const std::vector<api::HostFinding>& findings, const Console& console) {
  Table table({"CHECK", "RESULT", "FOUND"});
  std::string fixes;
  for (const auto& finding : findings) {
    table.add({finding.check, console.paint(colour_of(finding.verdict), finding.verdict), finding.found});
    if (!finding.fix.empty()) fixes += fmt::format("{}: {}\n  fix: {}\n", finding.verdict, finding.check, finding.fix);
  }
  return table.text() + (fixes.empty() ? "" : "\n" + fixes);
}

task<int> run_doctor(Context& context) {
  auto answer = co_await collect(context.client);
  auto findings = json::from<std::vector<api::HostFinding>>(answer);
  if (context.json()) {
    context.print(answer);
  } else {
    context.console.out(doctor_text(findings, context.console));
  }
  co_return std::ranges::any_of(findings, [](const auto& finding) { return finding.verdict == "failure"; }) ? 1 : 0;
}

}  // namespace gantry::cli
