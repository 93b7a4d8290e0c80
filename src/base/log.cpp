#include "gantry/base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>

namespace gantry::log {
namespace {

std::atomic<Level> current{Level::warn};

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::trace:
      return spdlog::level::trace;
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warn:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
    case Level::off:
      return spdlog::level::off;
  }
  return spdlog::level::info;
}

}  // namespace

void init(std::string_view program, Level level) {
  auto logger = spdlog::stderr_color_mt(std::string(program));
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %^%l%$ %n: %v");
  logger->set_level(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
  current = level;
}

bool enabled(Level level) { return level >= current.load(std::memory_order_relaxed); }

void write(Level level, std::string_view text) { spdlog::default_logger_raw()->log(to_spdlog(level), "{}", text); }

}  // namespace gantry::log
