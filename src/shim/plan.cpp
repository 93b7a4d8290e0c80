#include "plan.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include <new>

#include "sys.h"

namespace gantry::shim {

namespace {

struct Shared {
  Plan plan;
  char text[2][1u << 20];  // the plan, and what it is read over
};

Shared& make_memory() {
  auto* shared = static_cast<Shared*>(map_memory(sizeof(Shared)));
  new (&shared->plan) Plan;
  return *shared;
}

Shared& shared = make_memory();

}  // namespace

Plan& plan = shared.plan;

void share_plan() {
  share_memory(&shared, sizeof shared);
  new (&shared.plan) Plan;
}

namespace {

[[noreturn]] void malformed(const char* word) {
  fail({.kind = "internal", .what = "malformed plan at", .object = word});
}

template <std::size_t N>
void require_room(std::size_t count, const char (&what)[N], std::size_t most) {
  if (count >= most) fail({.kind = "invalid", .what = "too many", .object = what});
}

template <class T, std::size_t N>
void append(List<T, N>& list, const T& item) {
  if (list.count + 1 >= N) fail({.kind = "invalid", .what = "too many words in the plan"});
  list.items[list.count++] = item;
}

std::int64_t number_or_all(const char* text) { return *text == '*' ? -1 : static_cast<std::int64_t>(to_number(text)); }

void read_file(const char* name, char (&text)[1u << 20]);

void read_base(const char* file) { read_file(file, shared.text[1]); }

Bind& last_bind() {
  if (plan.bind_count == 0) malformed("a word about a bind");
  return plan.binds[plan.bind_count - 1];
}

void set_manner(const char* name) {
  struct Manner {
    const char* name;
    unsigned propagation;
  };
  constexpr Manner kManners[] = {{"private", MS_PRIVATE},
                                 {"rshared", MS_SHARED | MS_REC},
                                 {"shared", MS_SHARED},
                                 {"rslave", MS_SLAVE | MS_REC},
                                 {"slave", MS_SLAVE}};
  if (plan.mounts.count == 0) malformed(name);
  MountWish& wish = plan.mounts.items[plan.mounts.count - 1];
  if (strcmp(name, "rro") == 0) {
    wish.deep = true;
    return;
  }
  for (const auto& manner : kManners)
    if (strcmp(manner.name, name) == 0) {
      wish.propagation = manner.propagation;
      return;
    }
  malformed(name);
}

void choose_namespace(const char* type, const char* whose) {
  struct Kind {
    const char* type;
    const char** choice;
  };
  auto& all = plan.namespaces;
  const Kind kinds[] = {{"user", &all.user}, {"pid", &all.pid}, {"network", &all.network},
                        {"ipc", &all.ipc},   {"uts", &all.uts}, {"cgroup", &all.cgroup}};
  for (const auto& kind : kinds)
    if (strcmp(kind.type, type) == 0) {
      *kind.choice = whose;
      return;
    }
  malformed(type);
}

constexpr int kMostValues = 6;

struct Keyword {
  const char* name;
  int values;
  void (*apply)(const char* const* value);
};

const Keyword keywords[] = {
    {"exec", 0, [](const char* const*) { plan.exec = true; }},
    {"over", 1, [](const char* const* v) { read_base(v[0]); }},
    {"native", 0, [](const char* const*) { plan.native = true; }},
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
       plan.binds[plan.bind_count++] = {v[1],
                                        strchr(v[0], 'i') != nullptr,
                                        strchr(v[0], 'r') != nullptr,
                                        strchr(v[0], 'o') != nullptr,
                                        0,
                                        "",
                                        0,
                                        0,
                                        0,
                                        0,
                                        0,
                                        0};
     }},
    {"beneath", 1, [](const char* const* v) { last_bind().beneath = v[0]; }},
    {"node", 6,
     [](const char* const* v) {
       auto number = [&](int place) { return static_cast<std::uint32_t>(to_number(v[place])); };
       Bind& bind = last_bind();
       bind.device_type = *v[0];
       bind.major = number(1);
       bind.minor = number(2);
       bind.mode = number(3);
       bind.uid = number(4);
       bind.gid = number(5);
     }},
    {"seen-by", 1, [](const char* const* v) { last_bind().seen_by = static_cast<pid_t>(to_number(v[0])); }},
    {"namespace", 2, [](const char* const* v) { choose_namespace(v[0], v[1]); }},
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
    {"pid", 1, [](const char* const* v) { plan.container_pid = static_cast<pid_t>(to_number(v[0])); }},
    {"hostname", 1, [](const char* const* v) { plan.hostname = v[0]; }},
    {"cwd", 1, [](const char* const* v) { plan.working_dir = v[0]; }},
    {"user", 2,
     [](const char* const* v) {
       plan.uid = static_cast<std::uint32_t>(to_number(v[0]));
       plan.gid = static_cast<std::uint32_t>(to_number(v[1]));
     }},
    {"group", 1, [](const char* const* v) { append(plan.groups, static_cast<std::uint32_t>(to_number(v[0]))); }},
    {"capabilities", 1, [](const char* const* v) { plan.capabilities = to_number(v[0]); }},
    {"no-new-privileges", 0, [](const char* const*) { plan.no_new_privileges = true; }},
    {"read-only-root", 0, [](const char* const*) { plan.read_only_root = true; }},
    {"default-devices", 0, [](const char* const*) { plan.default_devices = true; }},
    {"seccomp", 1, [](const char* const* v) { plan.seccomp = v[0]; }},
    {"arg", 1, [](const char* const* v) { append(plan.arguments, v[0]); }},
    {"env", 1, [](const char* const* v) { append(plan.environment, v[0]); }},
    {"mount", 4,
     [](const char* const* v) {
       append(plan.mounts, MountWish{v[0], v[1], to_number(v[2]), v[3], false, 0});
     }},
    {"manner", 1, [](const char* const* v) { set_manner(v[0]); }},
    {"domain-name", 1, [](const char* const* v) { plan.domain_name = v[0]; }},
    {"oom-score-adj", 1, [](const char* const* v) { plan.oom_score_adj = v[0]; }},
    {"mask", 1, [](const char* const* v) { append(plan.masked, v[0]); }},
    {"read-only", 1, [](const char* const* v) { append(plan.read_only, v[0]); }},
    {"sysctl", 2,
     [](const char* const* v) {
       append(plan.sysctls, Setting{v[0], v[1]});
     }},
    {"cgroup-set", 2,
     [](const char* const* v) {
       append(plan.cgroup_settings, Setting{v[0], v[1]});
     }},
    {"device-rule", 5,
     [](const char* const* v) {
       append(plan.device_rules, DeviceRule{*v[0] == '+', *v[1], number_or_all(v[2]), number_or_all(v[3]), v[4]});
     }},
    {"device", 5,
     [](const char* const* v) {
       append(plan.devices,
              DeviceNode{v[0], *v[1], static_cast<std::uint32_t>(to_number(v[2])),
                         static_cast<std::uint32_t>(to_number(v[3])), static_cast<std::uint32_t>(to_number(v[4]))});
     }},
};

const Keyword* find_keyword(const char* name) {
  for (const auto& keyword : keywords)
    if (strcmp(keyword.name, name) == 0) return &keyword;
  return nullptr;
}

void parse(const char* text, std::size_t size) {
  const char* at = text;
  const char* end = text + size;
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
    const char* values[kMostValues] = {};
    for (int i = 0; i < keyword->values; ++i) values[i] = word();
    keyword->apply(values);
  }
}

void read_file(const char* name, char (&text)[1u << 20]) {
  ssize_t size = read_small(AT_FDCWD, name, text, sizeof text);
  if (size < 0) fail_errno("read", name);
  if (static_cast<std::size_t>(size) + 1 >= sizeof text) fail({.kind = "invalid", .what = "the plan is too large"});
  parse(text, static_cast<std::size_t>(size));
}

}  // namespace

void read_plan() { read_file("plan", shared.text[0]); }

void read_early_plan(int file) {
  auto& text = shared.text[1];
  ssize_t size = ::pread(file, text, sizeof text - 1, 0);
  if (size < 0) fail_errno("read", "the early plan");
  parse(text, static_cast<std::size_t>(size));
}

}  // namespace gantry::shim
