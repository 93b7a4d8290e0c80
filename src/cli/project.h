#pragma once

#include <string>
#include <vector>

#include "context.h"
#include "gantry/compose/compose.h"
#include "options.h"

namespace gantry::cli {

/// The flags that say which compose file and stack are meant.
struct ProjectFlags {
  std::vector<std::string> files, profiles, env_files;
  std::string name;
  std::string project_directory;
};

void declare_project(Options& options, ProjectFlags& flags);
compose::LoadOptions load_options(const Context& context, const ProjectFlags& flags,
                                  std::vector<std::string> services = {});
/// Loads, and shows the warnings.
compose::Stack load_stack(const Context& context, const ProjectFlags& flags, std::vector<std::string> services = {});
/// -p, or the name of the stack whose compose file is here.
std::string stack_name(const Context& context, const ProjectFlags& flags);

}  // namespace gantry::cli
