#pragma once

#include <optional>

#include "gantry/engine/types.h"

/// When a container that ended is started again. Pure.
namespace gantry::engine {

inline constexpr Duration kFirstBackOff = std::chrono::milliseconds(100);
inline constexpr Duration kLongestBackOff = std::chrono::minutes(1);
/// Who ran this long counts as having come up: the next back-off is the first one again.
inline constexpr Duration kSettled = std::chrono::seconds(10);

/// 100 ms, doubled for each failure before, at most a minute.
Duration back_off(int failures);

struct Ending {
  int exit_code = 0;
  bool unhealthy = false;  ///< ended by the engine because its health check failed
  bool stopped_by_user = false;
  int restart_count = 0;  ///< restarts since the user's start
  int failures = 0;       ///< endings in a row before `kSettled`
  Duration ran{};
};

struct Restart {
  Duration delay{};
  int failures = 0;  ///< to be kept for the next decision
};

/// nullopt: it stays where it is.
std::optional<Restart> decide_restart(const RestartPolicy& policy, const Ending& ending);

}  // namespace gantry::engine
