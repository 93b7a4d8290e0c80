#include "plan.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "sys.h"

namespace gantry::shim {

Plan plan;

namespace {

// Pages that are not touched cost nothing.
char buffer[1u << 20];

[[noreturn]] void malformed(const char* word) {
  fail({.kind = "internal", .what = "malformed plan at", .object = word});
}

template <std::size_t N>
void require_room(std::size_t count, const char (&what)[N], std::size_t most) {
  if (count >= most) fail({.kind = "invalid", .what = "too many", .object = what});
}

struct Keyword {
  const char* name;
  int values;
  void (*apply)(const char* const* value);
};

const Keyword keywords[] = {
    {"exec", 0, [](const char* const*) { plan.exec = true; }},
    {"tty", 0, [](const char* const*) { plan.tty = true; }},
    {"stdin", 0, [](const char* const*) { plan.open_stdin = true; }},
    {"crun", 1, [](const char* const* v) { plan.crun = v[0]; }},
    {"crun-root", 1, [](const char* const* v) { plan.crun_root = v[0]; }},
    {"id", 1, [](const char* const* v) { plan.id = v[0]; }},
    {"state", 1, [](const char* const* v) { plan.state_dir = v[0]; }},
    {"log", 2,
     [](const char* const* v) {
       plan.log_max_size = to_number(v[0]);
       plan.log_max_files = static_cast<int>(to_number(v[1]));
     }},
    {"owner", 2,
     [](const char* const* v) {
       plan.owner_uid = static_cast<std::uint32_t>(to_number(v[0]));
       plan.owner_gid = static_cast<std::uint32_t>(to_number(v[1]));
     }},
    {"map", 2,
     [](const char* const* v) {
       plan.mapped = true;
       plan.map_host = static_cast<std::uint32_t>(to_number(v[0]));
       plan.map_size = static_cast<std::uint32_t>(to_number(v[1]));
     }},
    {"upper", 1, [](const char* const* v) { plan.upper = v[0]; }},
    {"work", 1, [](const char* const* v) { plan.work = v[0]; }},
    {"layer", 1,
     [](const char* const* v) {
       require_room(plan.layer_count, "layers", kMaxLayers);
       plan.layers[plan.layer_count++] = v[0];
     }},
    {"bind", 2,
     [](const char* const* v) {
       require_room(plan.bind_count, "mounts", kMaxBinds);
       plan.binds[plan.bind_count++] = {v[1], strchr(v[0], 'i') != nullptr, strchr(v[0], 'r') != nullptr,
                                        strchr(v[0], 'o') != nullptr};
     }},
    {"cgroup", 1,
     [](const char* const* v) {
       require_room(plan.cgroup_count, "control group hierarchies", kMaxCgroups);
       plan.cgroups[plan.cgroup_count++] = v[0];
     }},
    {"rlimit", 3,
     [](const char* const* v) {
       require_room(plan.limit_count, "resource limits", kMaxLimits);
       plan.limits[plan.limit_count++] = {static_cast<int>(to_number(v[0])), to_number(v[1]), to_number(v[2])};
     }},
};

const Keyword* find_keyword(const char* name) {
  for (const auto& keyword : keywords)
    if (strcmp(keyword.name, name) == 0) return &keyword;
  return nullptr;
}

}  // namespace

void read_plan() {
  ssize_t size = read_small(AT_FDCWD, "plan", buffer, sizeof buffer);
  if (size < 0) fail_errno("read", "plan");
  if (static_cast<std::size_t>(size) + 1 >= sizeof buffer) fail({.kind = "invalid", .what = "the plan is too large"});
  const char* at = buffer;
  const char* end = buffer + size;
  auto word = [&]() -> const char* {
    if (at >= end) malformed("its end");
    const char* start = at;
    at += strlen(at) + 1;
    return start;
  };
  while (at < end) {
    const char* name = word();
    const Keyword* keyword = find_keyword(name);
    if (keyword == nullptr) malformed(name);
    const char* values[3] = {};
    for (int i = 0; i < keyword->values; ++i) values[i] = word();
    keyword->apply(values);
  }
}

}  // namespace gantry::shim
