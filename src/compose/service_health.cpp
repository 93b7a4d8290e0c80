#include "service.h"

namespace gantry::compose {

namespace {

/// A string is run by the container's shell; a list says how in its first word.
void read_test(const Value& value, HealthCheck& check) {
  if (value.node().is_scalar()) {
    check.test = {"CMD-SHELL", value.node().text};
    if (value.node().text.empty()) value.invalid("the test is empty");
    return;
  }
  std::vector<std::string> words;
  if (!value.read(words)) return;
  if (words.empty() || (words[0] != "NONE" && words[0] != "CMD" && words[0] != "CMD-SHELL"))
    return value.invalid("the first word must be NONE, CMD or CMD-SHELL");
  if (words[0] == "NONE") {
    check.disable = true;
  } else if (words.size() < 2 || (words[0] == "CMD-SHELL" && words.size() > 2)) {
    value.invalid(words[0] == "CMD" ? "CMD needs a command" : "CMD-SHELL needs one string");
  } else {
    check.test = std::move(words);
  }
}

constexpr Key<HealthCheck> kHealthKeys[] = {
    {"test", read_test},
    {"interval", into<&HealthCheck::interval>},
    {"timeout", into<&HealthCheck::timeout>},
    {"retries", into<&HealthCheck::retries>},
    {"start_period", into<&HealthCheck::start_period>},
    {"start_interval", into<&HealthCheck::start_interval>},
    {"disable",
     [](const Value& value, HealthCheck& check) {
       bool disable = false;
       if (value.read(disable)) check.disable = check.disable || disable;
     }},
};

}  // namespace

void read_healthcheck(const Value& value, ServiceDraft& draft) {
  HealthCheck check;
  if (!read_keys<HealthCheck>(value, kHealthKeys, check)) return;
  if (check.disable) check = HealthCheck{.disable = true};
  draft.service.healthcheck = std::move(check);
}

}  // namespace gantry::compose
