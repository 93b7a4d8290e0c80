#include "service.h"

namespace gantry::compose {

namespace {

constexpr Key<ServiceDraft> kLimitKeys[] = {
    {"cpus", into<&ServiceDraft::deploy_limits, &Limits::cpus>},
    {"memory",
     [](const Value& value, ServiceDraft& draft) {
       std::uint64_t bytes = 0;
       if (value.read_bytes(bytes)) draft.deploy_limits.memory = bytes;
     }},
    {"pids", [](const Value& value, ServiceDraft& draft) { read_pids(value, draft.deploy_limits); }},
};

constexpr Key<ServiceDraft> kReservationKeys[] = {
    {"cpus"},
    {"memory",
     [](const Value& value, ServiceDraft& draft) {
       std::uint64_t bytes = 0;
       if (value.read_bytes(bytes)) draft.deploy_limits.memory_reservation = bytes;
     }},
    {"generic_resources"},
    {"devices"},
};

template <const auto& Keys>
void section(const Value& value, ServiceDraft& draft) {
  read_keys<ServiceDraft>(value, Keys, draft);
}

constexpr Key<ServiceDraft> kResourceKeys[] = {
    {"limits", section<kLimitKeys>},
    {"reservations", section<kReservationKeys>},
};

void read_condition(const Value& value, ServiceDraft& draft) {
  static const std::map<std::string_view, RestartCondition> kConditions{
      {"none", RestartCondition::no}, {"on-failure", RestartCondition::on_failure}, {"any", RestartCondition::always}};
  auto name = value.string();
  if (!name) return;
  auto found = kConditions.find(*name);
  if (found == kConditions.end()) {
    value.invalid(fmt::format("unknown condition '{}': expected none, on-failure or any", *name));
  } else {
    draft.deploy_restart->condition = found->second;
  }
}

constexpr Key<ServiceDraft> kRestartKeys[] = {
    {"condition", read_condition},
    {"max_attempts",
     [](const Value& value, ServiceDraft& draft) { value.read(draft.deploy_restart->maximum_retries); }},
    {"delay"},
    {"window"},
};

void read_restart_policy(const Value& value, ServiceDraft& draft) {
  auto& policy = draft.deploy_restart.emplace();
  policy.condition = RestartCondition::always;
  read_keys<ServiceDraft>(value, kRestartKeys, draft);
  if (policy.maximum_retries && policy.condition != RestartCondition::on_failure)
    value.unsupported("Gantry supports 'max_attempts' only with the condition on-failure yet");
}

void read_mode(const Value& value, ServiceDraft&) {
  auto mode = value.string();
  if (!mode || *mode == "replicated") return;
  if (*mode == "global" || *mode == "replicated-job" || *mode == "global-job")
    return value.unsupported(fmt::format("Gantry does not support the mode '{}' yet", *mode));
  value.invalid(fmt::format("unknown mode '{}': expected replicated", *mode));
}

constexpr Key<ServiceDraft> kDeployKeys[] = {
    {"mode", read_mode},
    {"replicas", into<&ServiceDraft::deploy_replicas>},
    {"resources", section<kResourceKeys>},
    {"restart_policy", read_restart_policy},
    {"endpoint_mode"},
    // They label the service in a cluster, not its containers; one machine has no such object.
    {"labels"},
    {"placement"},
    {"rollback_config"},
    {"update_config"},
};

}  // namespace

void read_deploy(const Value& value, ServiceDraft& draft) { read_keys<ServiceDraft>(value, kDeployKeys, draft); }

}  // namespace gantry::compose
