#include "restart.h"

#include <algorithm>

namespace gantry::engine {
namespace {

bool policy_allows(const RestartPolicy& policy, const Ending& ending) {
  switch (policy.mode) {
    case RestartMode::no:
      return false;
    case RestartMode::always:
    case RestartMode::unless_stopped:
      return true;
    case RestartMode::on_failure:
      if (ending.exit_code == 0 && !ending.unhealthy) return false;
      return policy.max_retries == 0 || ending.restart_count < policy.max_retries;
  }
  return false;
}

}  // namespace

Duration back_off(int failures) {
  Duration delay = kFirstBackOff;
  for (int i = 0; i < failures && delay < kLongestBackOff; ++i) delay *= 2;
  return std::min(delay, kLongestBackOff);
}

std::optional<Restart> decide_restart(const RestartPolicy& policy, const Ending& ending) {
  if (ending.stopped_by_user || !policy_allows(policy, ending)) return std::nullopt;
  int failures = ending.ran >= kSettled ? 0 : ending.failures;
  return Restart{.delay = back_off(failures), .failures = failures + 1};
}

}  // namespace gantry::engine
