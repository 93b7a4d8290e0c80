#pragma once

#include <boost/describe.hpp>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

/// The host module checks the machine: what `gantry doctor` prints and what `gantryd` refuses to start without, in the
/// same words. Blocking; reads only.
namespace gantry::host {

enum class Verdict { ok, warning, failure };
BOOST_DESCRIBE_ENUM(Verdict, ok, warning, failure)

struct Finding {
  std::string check;  ///< "cgroups", "user namespaces", "crun", ...
  Verdict verdict = Verdict::ok;
  std::string found;  ///< "hybrid: version 1 controllers beside version 2"
  std::string fix;    ///< what to do; empty when ok
};
BOOST_DESCRIBE_STRUCT(Finding, (), (check, verdict, found, fix))

struct Places {
  std::filesystem::path data_dir;
  std::filesystem::path run_dir;
};

/// Every check, in a fixed order. A `failure` keeps gantryd from starting.
std::vector<Finding> check_host(const Places& places);

enum class CgroupMode { pure_v2, hybrid, v1, none };
BOOST_DESCRIBE_ENUM(CgroupMode, pure_v2, hybrid, v1, none)
CgroupMode cgroup_mode();

/// Where `program` is in PATH (with the sbin directories added); empty: nowhere.
std::filesystem::path find_program(std::string_view program);

}  // namespace gantry::host
