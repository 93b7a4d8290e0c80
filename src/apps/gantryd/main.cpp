#include <fmt/format.h>

#include <cstdio>

#include "daemon.h"
#include "gantry/base/async.h"
#include "gantry/base/error.h"
#include "gantry/base/json.h"
#include "gantry/base/log.h"
#include "gantry/host/checks.h"
#include "options.h"

namespace {

using namespace gantry;

int check(const daemon::Options& options) {
  auto findings = host::check_host({options.data_dir, options.run_dir});
  bool failed = false;
  for (const auto& finding : findings) {
    failed = failed || finding.verdict == host::Verdict::failure;
    if (options.json) continue;
    fmt::print("{:<8} {:<18} {}\n", json::name_of(finding.verdict), finding.check, finding.found);
    if (!finding.fix.empty()) fmt::print("{:<27} fix: {}\n", "", finding.fix);
  }
  if (options.json) fmt::print("{}\n", json::pretty(json::to(findings)));
  return failed ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  daemon::Options options;
  if (auto status = daemon::parse(argc, argv, options)) return *status;
  log::init("gantryd", options.log_level);
  try {
    if (options.check) return check(options);
    daemon::run(options);
    return 0;
  } catch (...) {
    auto error = to_error(std::current_exception());
    fmt::print(stderr, "gantryd: {}\n", error.message());
    for (const auto& finding : error.findings()) fmt::print(stderr, "  {}\n", finding.message);
    if (!error.fix().empty()) fmt::print(stderr, "fix: {}\n", error.fix());
    return exit_code(error.kind());
  }
}
