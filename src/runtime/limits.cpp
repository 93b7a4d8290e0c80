#include <sys/resource.h>

#include <linux/capability.h>

#include "capabilities.h"
#include "gantry/base/files.h"
#include "gantry/base/log.h"
#include "spec.h"

namespace gantry::runtime {
namespace {

struct LimitName {
  std::string_view name;
  int number;
};
constexpr LimitName kLimits[] = {
    {"RLIMIT_AS", RLIMIT_AS},           {"RLIMIT_CORE", RLIMIT_CORE},         {"RLIMIT_CPU", RLIMIT_CPU},
    {"RLIMIT_DATA", RLIMIT_DATA},       {"RLIMIT_FSIZE", RLIMIT_FSIZE},       {"RLIMIT_LOCKS", RLIMIT_LOCKS},
    {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK}, {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE}, {"RLIMIT_NICE", RLIMIT_NICE},
    {"RLIMIT_NOFILE", RLIMIT_NOFILE},   {"RLIMIT_NPROC", RLIMIT_NPROC},       {"RLIMIT_RSS", RLIMIT_RSS},
    {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},   {"RLIMIT_RTTIME", RLIMIT_RTTIME},     {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
    {"RLIMIT_STACK", RLIMIT_STACK}};

// RLIMIT_NOFILE has a ceiling of its own that no capability lifts.
std::uint64_t ceiling(int number, bool may_raise) {
  rlimit own{};
  ::getrlimit(static_cast<__rlimit_resource_t>(number), &own);
  if (!may_raise) return own.rlim_max;
  if (number != RLIMIT_NOFILE) return RLIM_INFINITY;
  auto text = read_file_if_exists("/proc/sys/fs/nr_open");
  return text ? std::strtoull(text->c_str(), nullptr, 10) : own.rlim_max;
}

}  // namespace

int rlimit_number(const std::string& name) {
  for (const auto& limit : kLimits)
    if (limit.name == name) return limit.number;
  throw Error(ErrorKind::invalid, "resource limit " + name + ": no such limit", "see man 2 setrlimit for the names");
}

std::optional<int> effective_oom_score(const Plan& plan, bool may_lower) {
  if (!plan.oom_score_adj || may_lower) return plan.oom_score_adj;
  auto text = read_file_if_exists("/proc/self/oom_score_adj");
  int least = text ? static_cast<int>(std::strtol(text->c_str(), nullptr, 10)) : 0;
  if (*plan.oom_score_adj >= least) return plan.oom_score_adj;
  log::warn("container {}: oom_score_adj raised from {} to {}: the system allows no less", short_id(plan.id),
            *plan.oom_score_adj, least);
  return least;
}

bool may_raise_limits() { return has_own_capability(CAP_SYS_RESOURCE); }

std::vector<Plan::Limit> effective_limits(const Plan& plan, bool may_raise) {
  std::vector<Plan::Limit> out;
  for (auto limit : plan.rlimits) {
    std::uint64_t most = ceiling(rlimit_number(limit.name), may_raise);
    if (limit.hard > most) {
      log::warn("container {}: {} lowered from {} to {}: the system allows no more", short_id(plan.id), limit.name,
                limit.hard, most);
      limit.hard = most;
    }
    limit.soft = std::min(limit.soft, limit.hard);
    out.push_back(std::move(limit));
  }
  return out;
}

}  // namespace gantry::runtime
