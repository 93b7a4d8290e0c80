#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "capabilities.h"
#include "gantry/oci/passwd.h"
#include "gantry/runtime/runtime.h"
#include "record.h"

/// From a container's record to what the runtime is told. Pure, apart from the paths it names.
namespace gantry::engine {

/// Where a container's own files are:
///
///   <data_dir>/containers/<id>/upper, work            its writable layer
///                              state/                 exit.json, log (the runtime's)
///                              hosts, hostname, resolv.conf
struct ContainerPaths {
  std::filesystem::path root;
  std::filesystem::path upper() const { return root / "upper"; }
  std::filesystem::path work() const { return root / "work"; }
  std::filesystem::path state() const { return root / "state"; }
};

struct PlanInputs {
  std::vector<std::filesystem::path> layers;        ///< lowest first
  std::map<std::string, std::string> volume_paths;  ///< name -> directory on the host
  oci::UserIds user;
  ContainerPaths paths;
  CapabilityBase capabilities;
  runtime::NamespaceChoices namespaces;
  std::filesystem::path network_files;  ///< where hosts, hostname and resolv.conf are
  pid_t shm_of = 0;                     ///< whose /dev/shm it shares; 0: nobody's
};

std::filesystem::path upper_of(const Record& record, const ContainerPaths& paths);

runtime::Plan make_plan(const Record& record, const PlanInputs& inputs);

/// The environment its program gets: what was resolved, and PATH, HOME, HOSTNAME, TERM where they are missing.
std::vector<std::string> full_environment(const Record& record, const std::string& home, bool tty);
std::string hostname_of(const ContainerInfo& info);

/// Of an exec in it, as `user`.
runtime::ExecPlan make_exec_plan(const Record& record, const ExecSpec& spec, const oci::UserIds& user,
                                 const CapabilityBase& base);

}  // namespace gantry::engine
