#pragma once

#include "env_file.h"
#include "value.h"

namespace gantry::compose {

struct EnvFileEntry {
  std::string path;
  bool required = true;
  std::string format;
};

/// A service while it is read: what several keys decide together is kept apart until all of them are there.
struct ServiceDraft {
  Service service;
  std::string model_path;  ///< "services.web"
  std::vector<std::pair<Place, EnvFileEntry>> env_files;
  OptionalStringMap environment;
  std::vector<Mount> tmpfs;
  Limits deploy_limits;
  std::optional<std::uint32_t> scale;
  std::optional<std::uint32_t> deploy_replicas;
  std::optional<RestartPolicy> deploy_restart;
  std::optional<std::string> network_mode;
  bool networks_given = false;
  std::optional<std::string> mac_address;  ///< on the only network
};

/// Reads one service of the stack; the result is complete but for what `check` finds in the whole stack.
Service read_service(const Value& value, const std::string& name);

// Readers of single keys, by file.
void read_build(const Value& value, ServiceDraft& draft);
void read_deploy(const Value& value, ServiceDraft& draft);
void read_healthcheck(const Value& value, ServiceDraft& draft);
void read_env_files(const Value& value, ServiceDraft& draft);
void read_networks(const Value& value, ServiceDraft& draft);
void read_network_mode(const Value& value, ServiceDraft& draft);
void read_pid(const Value& value, ServiceDraft& draft);
void read_ipc(const Value& value, ServiceDraft& draft);
void read_uts(const Value& value, ServiceDraft& draft);
void read_cgroup(const Value& value, ServiceDraft& draft);
void read_links(const Value& value, ServiceDraft& draft);
void read_external_links(const Value& value, ServiceDraft& draft);
void read_volumes_from(const Value& value, ServiceDraft& draft);
void read_devices(const Value& value, ServiceDraft& draft);
void read_block_io(const Value& value, ServiceDraft& draft);
void read_extra_hosts(const Value& value, ServiceDraft& draft);
void read_depends_on(const Value& value, ServiceDraft& draft);
void read_restart(const Value& value, ServiceDraft& draft);
void read_security_opt(const Value& value, ServiceDraft& draft);
void read_userns_mode(const Value& value, ServiceDraft& draft);
void read_capabilities(const Value& value, std::vector<std::string>& out);
void read_ulimits(const Value& value, ServiceDraft& draft);
void read_logging(const Value& value, ServiceDraft& draft);
void read_memswap_limit(const Value& value, ServiceDraft& draft);
void read_pids(const Value& value, Limits& limits);
/// Id and absolute file of each secret that a build names.
void read_build_secrets(const Value& value, StringMap& out);
void read_secrets(const Value& value, ServiceDraft& draft);
void read_configs(const Value& value, ServiceDraft& draft);
/// The top-level sections of these two: services find there what they name.
void read_file_definitions(const Value& value, Stack& stack);
/// Environment files and `environment` together, in the order of precedence.
void resolve_environment(const Value& value, ServiceDraft& draft);

}  // namespace gantry::compose
