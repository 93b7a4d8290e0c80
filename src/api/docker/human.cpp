#include "human.h"

#include "gantry/base/json.h"

namespace gantry::api::docker {

std::string human_duration(Duration duration) {
  using namespace std::chrono;
  auto count = [](std::int64_t number, const char* unit) { return std::to_string(number) + " " + unit; };
  auto s = duration_cast<seconds>(duration).count();
  if (s < 1) return "Less than a second";
  if (s == 1) return "1 second";
  if (s < 60) return count(s, "seconds");
  auto m = s / 60;
  if (m == 1) return "About a minute";
  if (m < 60) return count(m, "minutes");
  auto h = (s + 1800) / 3600;
  if (h == 1) return "About an hour";
  if (h < 48) return count(h, "hours");
  if (h < 24 * 7 * 2) return count(h / 24, "days");
  if (h < 24 * 30 * 2) return count(h / 24 / 7, "weeks");
  if (h < 24 * 365 * 2) return count(h / 24 / 30, "months");
  return count(h / 24 / 365, "years");
}

bool is_running(const engine::ContainerInfo& info) {
  return info.state == engine::State::running || info.state == engine::State::stopping ||
         info.state == engine::State::paused;
}

std::string state_name(const engine::ContainerInfo& info) {
  switch (info.state) {
    case engine::State::created:
    case engine::State::starting:
      return info.finished ? "exited" : "created";
    case engine::State::running:
    case engine::State::stopping:
      return "running";
    case engine::State::paused:
      return "paused";
    case engine::State::restarting:
      return "restarting";
    case engine::State::exited:
      return "exited";
    case engine::State::removing:
      return "removing";
  }
  return "dead";
}

std::string status_text(const engine::ContainerInfo& info) {
  auto ago = [](const std::optional<Timestamp>& then) { return human_duration(now() - then.value_or(now())); };
  auto code = "(" + std::to_string(info.exit_code) + ") ";
  auto state = state_name(info);
  if (state == "created") return "Created";
  if (state == "restarting") return "Restarting " + code + ago(info.finished) + " ago";
  if (state == "removing") return "Removal In Progress";
  if (state == "exited") return "Exited " + code + ago(info.finished) + " ago";
  auto text = "Up " + ago(info.started);
  if (state == "paused") return text + " (Paused)";
  if (info.health == engine::Health::starting) return text + " (health: starting)";
  if (info.health != engine::Health::none) return text + " (" + json::name_of(info.health) + ")";
  return text;
}

}  // namespace gantry::api::docker
