#pragma once

#include <filesystem>

#include "cgroup.h"
#include "gantry/oci/runtime_spec.h"
#include "words.h"

/// What the native launcher needs beyond the shim's own words, taken from the same specification that `crun` gets, so
/// that both make the same container.
namespace gantry::runtime {

/// What does not depend on the container, without its control group: two of which these words are equal can be made
/// ahead for each other.
std::string common_words(const oci::runtime::Spec& spec, const CgroupTree& cgroups);
/// The whole early plan of a standby shim: those words, its ids, its control group.
std::string early_plan(const oci::runtime::Spec& spec, const CgroupTree& cgroups, const std::string& group);
/// What an exec needs to know of its container.
std::string exec_base(const oci::runtime::Spec& spec, const CgroupTree& cgroups, const std::string& group,
                      const std::filesystem::path& filter);
/// What an exec has of its container whichever launcher makes it.
std::string exec_limits(const oci::runtime::Spec& spec);
/// The rest, which the container's own plan adds. `filter`: the compiled system call filter, or empty.
void add_native(Words& words, const oci::runtime::Spec& spec, const CgroupTree& cgroups, const std::string& group,
                const std::filesystem::path& filter);
/// The program's own part; also of an exec.
void add_native_process(Words& words, const oci::runtime::Process& process);

}  // namespace gantry::runtime
