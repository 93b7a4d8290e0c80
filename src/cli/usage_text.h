#pragma once

#include <map>
#include <string>
#include <vector>

#include "gantry/base/usage.h"

/// What containers use, for people. Pure.
namespace gantry::cli {

struct Reading {
  std::string name;
  Usage before;
  Usage now;
};

/// Of one processor, between the two readings: 250 is two and a half processors.
double cpu_percent(const Reading& reading);
/// By name.
std::string stats_table(const std::map<std::string, Reading>& readings);
std::string process_table(const std::vector<ProcessInfo>& processes);

}  // namespace gantry::cli
