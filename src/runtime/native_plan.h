#pragma once

#include <filesystem>

#include "cgroup.h"
#include "gantry/oci/runtime_spec.h"
#include "words.h"

/// What the native launcher needs beyond the shim's own words, taken from the same specification that `crun` gets, so
/// that both make the same container.
namespace gantry::runtime {

/// `filter`: the compiled system call filter, or empty.
void add_native(Words& words, const oci::runtime::Spec& spec, const CgroupTree& cgroups, const ContainerId& id,
                const std::filesystem::path& filter);
/// The program's own part; also of an exec.
void add_native_process(Words& words, const oci::runtime::Process& process);

}  // namespace gantry::runtime
