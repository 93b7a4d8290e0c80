#include "service.h"

#include <algorithm>
#include <charconv>

namespace gantry::compose {

void read_restart(const Value& value, ServiceDraft& draft) {
  static const std::map<std::string_view, RestartCondition> kConditions{
      {"no", RestartCondition::no},
      {"false", RestartCondition::no},  // what YAML 1.1 makes of an unquoted no
      {"always", RestartCondition::always},
      {"on-failure", RestartCondition::on_failure},
      {"unless-stopped", RestartCondition::unless_stopped}};
  auto text = value.string();
  if (!text) return;
  auto colon = text->find(':');
  auto found = kConditions.find(std::string_view(*text).substr(0, colon));
  bool counted = colon != std::string::npos;
  if (found == kConditions.end() || (counted && found->second != RestartCondition::on_failure))
    return value.invalid(fmt::format(
        "'{}' is not a restart policy: expected no, always, on-failure[:RETRIES] or unless-stopped", *text));
  draft.service.restart.condition = found->second;
  if (!counted) return;
  std::uint32_t retries = 0;
  auto [end, error] = std::from_chars(text->data() + colon + 1, text->data() + text->size(), retries);
  if (error != std::errc() || end != text->data() + text->size())
    return value.invalid(fmt::format("'{}' is not a number of retries", text->substr(colon + 1)));
  draft.service.restart.maximum_retries = retries;
}

namespace {

void apply_security_option(const Value& value, const std::string& text, Security& security) {
  auto separator = text.find_first_of(":=");
  auto name = text.substr(0, separator);
  auto setting = separator == std::string::npos ? std::string("true") : text.substr(separator + 1);
  if (name == "no-new-privileges") {
    if (setting != "true" && setting != "false")
      return value.invalid(fmt::format("'{}' is neither true nor false", setting));
    security.no_new_privileges = setting == "true";
  } else if (name == "seccomp") {
    if (setting == "unconfined") {
      security.seccomp_unconfined = true;
    } else if (auto profile = value.reader().options.read_file(value.resolve(setting))) {
      security.seccomp_profile = *profile;
    } else {
      value.invalid(fmt::format("the profile {} cannot be read", value.resolve(setting).string()));
    }
  } else if (name == "apparmor") {
    security.apparmor = setting;
  } else if (name == "label") {
    security.labels.push_back(setting);
  } else if (name == "systempaths" && setting == "unconfined") {
    security.unmask_paths = true;
  } else if (name == "systempaths" || name == "credentialspec" || name == "writable-cgroups") {
    value.unsupported(fmt::format("Gantry does not support the security option '{}' yet", name));
  } else {
    value.invalid(
        fmt::format("unknown security option '{}'{}", name,
                    did_you_mean(name, {"no-new-privileges", "seccomp", "apparmor", "label", "systempaths"})));
  }
}

void read_limit(const Value& value, std::optional<std::uint64_t>& out) {
  std::uint64_t number = 0;
  if (value.node().is_scalar() && (value.node().text == "-1" || value.node().text == "unlimited")) {
    out.reset();
  } else if (value.read(number)) {
    out = number;
  }
}

constexpr Key<Ulimit> kUlimitKeys[] = {
    {"soft", [](const Value& value, Ulimit& ulimit) { read_limit(value, ulimit.soft); }},
    {"hard", [](const Value& value, Ulimit& ulimit) { read_limit(value, ulimit.hard); }},
};

struct LogOptions {
  std::optional<std::uint64_t> max_size;
  std::optional<std::uint32_t> max_files;
  std::map<std::string, std::string> own;
};

// Which driver has which is the engine's to say.
constexpr const char* kDriverOptions[] = {"labels",
                                          "env",
                                          "tag",
                                          "syslog-address",
                                          "syslog-facility",
                                          "syslog-format",
                                          "gelf-address",
                                          "gelf-compression-type",
                                          "fluentd-address",
                                          "fluentd-async",
                                          "fluentd-async-connect",
                                          "fluentd-sub-second-precision"};

template <std::size_t Which>
void option(const Value& value, LogOptions& options) {
  if (auto text = value.string()) options.own[kDriverOptions[Which]] = *text;
}

constexpr Key<LogOptions> kLogOptionKeys[] = {
    {"max-size",
     [](const Value& value, LogOptions& options) {
       std::uint64_t bytes = 0;
       if (value.read_bytes(bytes)) options.max_size = bytes;
     }},
    {"max-file", into<&LogOptions::max_files>},
    {"compress"},
    {"labels-regex"},
    {"env-regex"},
    {"mode"},
    {"max-buffer-size"},
    {"labels", option<0>},
    {"env", option<1>},
    {"tag", option<2>},
    {"syslog-address", option<3>},
    {"syslog-facility", option<4>},
    {"syslog-format", option<5>},
    {"gelf-address", option<6>},
    {"gelf-compression-type", option<7>},
    {"fluentd-address", option<8>},
    {"fluentd-async", option<9>},
    {"fluentd-async-connect", option<10>},
    {"fluentd-sub-second-precision", option<11>},
};

struct LoggingDraft {
  std::string driver = "local";
  std::optional<Value> options;
};

constexpr Key<LoggingDraft> kLoggingKeys[] = {
    {"driver", into<&LoggingDraft::driver>},
    {"options", [](const Value& value, LoggingDraft& draft) { draft.options.emplace(value); }},
};

}  // namespace

void read_security_opt(const Value& value, ServiceDraft& draft) {
  if (!value.node().is_sequence()) return value.wrong_type("a list of strings");
  for (std::size_t i = 0; i < value.node().items.size(); ++i) {
    if (auto text = value.at(i).string()) apply_security_option(value.at(i), *text, draft.service.security);
  }
}

void read_userns_mode(const Value& value, ServiceDraft& draft) {
  auto mode = value.string();
  if (!mode || mode->empty()) return;
  if (*mode != "host") return value.invalid(fmt::format("unknown user namespace mode '{}': expected host", *mode));
  draft.service.security.user_namespace_host = true;
}

void read_capabilities(const Value& value, std::vector<std::string>& out) {
  if (!value.read(out)) return;
  for (auto& name : out) {
    name = upper(name);
    if (name.starts_with("CAP_")) name.erase(0, 4);
  }
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
}

void read_ulimits(const Value& value, ServiceDraft& draft) {
  if (!value.node().is_mapping()) return value.wrong_type("a mapping");
  for (const auto& entry : value.node().entries) {
    auto inner = value.at(entry);
    Ulimit ulimit;
    if (inner.node().is_mapping()) {
      read_keys<Ulimit>(inner, kUlimitKeys, ulimit);
      if (!inner.find("soft") || !inner.find("hard")) inner.invalid("both 'soft' and 'hard' are needed");
    } else {
      read_limit(inner, ulimit.soft);
      ulimit.hard = ulimit.soft;
    }
    inner.writes(fmt::format("{}.ulimits.{}", draft.model_path, entry.key));
    draft.service.ulimits[entry.key] = ulimit;
  }
}

void read_logging(const Value& value, ServiceDraft& draft) {
  LoggingDraft inner;
  if (!read_keys<LoggingDraft>(value, kLoggingKeys, inner)) return;
  static const std::vector<std::string> kDrivers{"local", "json-file", "none", "syslog", "gelf", "fluentd"};
  if (std::ranges::find(kDrivers, inner.driver) == kDrivers.end()) {
    static const std::vector<std::string> kOthers{"journald", "awslogs", "splunk", "etwlogs", "gcplogs", "loki"};
    auto where = value.find("driver").value_or(value);
    if (std::ranges::find(kOthers, inner.driver) != kOthers.end())
      return where.unsupported(fmt::format("Gantry does not support the log driver '{}'", inner.driver));
    return where.invalid(
        fmt::format("unknown log driver '{}': expected json-file, local, none, syslog, gelf or fluentd", inner.driver));
  }
  LogOptions options;
  if (inner.options) read_keys<LogOptions>(*inner.options, kLogOptionKeys, options);
  draft.service.logging = Logging{inner.driver, options.max_size, options.max_files, options.own};
}

void read_memswap_limit(const Value& value, ServiceDraft& draft) {
  if (value.node().is_scalar() && value.node().text == "-1") {
    draft.service.limits.unlimited_swap = true;
    return;
  }
  std::uint64_t bytes = 0;
  // The specification: 0 is the same as not set.
  if (value.read_bytes(bytes) && bytes != 0) draft.service.limits.memory_and_swap = bytes;
}

void read_pids(const Value& value, Limits& limits) {
  std::uint64_t number = 0;
  if (value.node().is_scalar() && value.node().text == "-1") {
    limits.unlimited_pids = true;
  } else if (value.read(number) && number != 0) {
    limits.pids = number;
  }
}

}  // namespace gantry::compose
