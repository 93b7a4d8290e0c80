#include "service.h"

namespace gantry::compose {

namespace {

struct BuildDraft {
  Build build;
  std::optional<std::string> context;
  std::optional<std::string> dockerfile;
  OptionalStringMap args;
};

// A list of "default" and "id=socket", or a mapping.
void read_ssh(const Value& value, BuildDraft& out) {
  if (!value.node().is_mapping()) return void(value.read(out.build.ssh));
  OptionalStringMap sockets;
  if (!value.read(sockets)) return;
  for (const auto& [id, socket] : sockets) out.build.ssh.push_back(socket ? id + "=" + *socket : id);
}

void read_platforms(const Value& value, BuildDraft& out) {
  if (value.read(out.build.platforms) && out.build.platforms.size() > 1)
    value.unsupported("Gantry builds an image for one platform at a time");
}

constexpr Key<BuildDraft> kBuildKeys[] = {
    {"context", into<&BuildDraft::context>},
    {"dockerfile", into<&BuildDraft::dockerfile>},
    {"dockerfile_inline", into<&BuildDraft::build, &Build::dockerfile_inline>},
    {"args", into<&BuildDraft::args>},
    {"target", into<&BuildDraft::build, &Build::target>},
    {"labels", into<&BuildDraft::build, &Build::labels>},
    {"tags", into<&BuildDraft::build, &Build::tags>},
    {"no_cache", into<&BuildDraft::build, &Build::no_cache>},
    {"pull", into<&BuildDraft::build, &Build::pull>},
    {"secrets", [](const Value& value, BuildDraft& out) { read_build_secrets(value, out.build.secrets); }},
    {"ssh", read_ssh},
    {"cache_from", into<&BuildDraft::build, &Build::cache_from>},
    {"cache_to", into<&BuildDraft::build, &Build::cache_to>},
    {"no_cache_filter", into<&BuildDraft::build, &Build::no_cache_filter>},
    {"platforms", read_platforms},
    {"network", into<&BuildDraft::build, &Build::network>},
    {"shm_size", [](const Value& value, BuildDraft& out) { value.read_bytes(out.build.shm_size.emplace()); }},
    {"provenance", no_effect<BuildDraft>},
    {"additional_contexts"},
    {"entitlements"},
    {"extra_hosts"},
    {"isolation"},
    {"privileged"},
    {"sbom"},
    {"ulimits"},
};

bool is_remote(std::string_view context) {
  return context.find("://") != std::string_view::npos || context.starts_with("git@") ||
         context.starts_with("github.com/");
}

void set_context(const Value& where, const std::string& context, Build& build) {
  if (is_remote(context)) return where.unsupported("Gantry does not support building from a remote context yet");
  build.context = where.resolve(context);
}

void set_dockerfile(const Value& value, const BuildDraft& draft, Build& build) {
  if (build.dockerfile_inline) {
    if (draft.dockerfile) value.invalid("'dockerfile' and 'dockerfile_inline' exclude each other");
    return;
  }
  build.dockerfile = (build.context / draft.dockerfile.value_or("Dockerfile")).lexically_normal();
}

}  // namespace

void read_build(const Value& value, ServiceDraft& draft) {
  BuildDraft inner;
  if (value.node().is_scalar()) {
    inner.context = value.node().text;
  } else if (!read_keys<BuildDraft>(value, kBuildKeys, inner)) {
    return;
  }
  auto& build = draft.service.build.emplace(std::move(inner.build));
  set_context(value.find("context").value_or(value), inner.context.value_or("."), build);
  set_dockerfile(value, inner, build);
  for (auto& [name, argument] : inner.args) {
    // As in `environment`: no value means the client's variable of that name, if there is one.
    auto resolved = argument ? argument : value.reader().lookup(name);
    if (resolved) build.args[name] = *resolved;
  }
}

}  // namespace gantry::compose
