#include "service.h"

// Configs and secrets: files of the client that a service finds in its container.
namespace gantry::compose {
namespace {

struct Definition {
  std::string file;
  std::optional<Value> elsewhere;  ///< where it says that it is no file
};

constexpr Key<Definition> kDefinitionKeys[] = {
    {"file", into<&Definition::file>},
    {"content", [](const Value& value, Definition& out) { out.elsewhere.emplace(value); }},
    {"environment", [](const Value& value, Definition& out) { out.elsewhere.emplace(value); }},
    {"external",
     [](const Value& value, Definition& out) {
       bool external = false;
       if (value.read(external) && external) out.elsewhere.emplace(value);
     }},
    {"name", no_effect<Definition>},
    {"labels", no_effect<Definition>},
    {"driver"},
    {"driver_opts"},
    {"template_driver"},
};

struct Reference {
  std::string source;
  std::string target;
};

void ignored(const Value& value, Reference&) { value.warn("has no effect: the file keeps its owner and permissions"); }

constexpr Key<Reference> kReferenceKeys[] = {
    {"source", into<&Reference::source>},
    {"target", into<&Reference::target>},
    {"uid", ignored},
    {"gid", ignored},
    {"mode", ignored},
};

/// `place`: the directory a relative target is in.
void add_file(const Value& value, const Reference& reference, const char* section, const std::string& place,
              ServiceDraft& draft) {
  const Node* all = value.reader().root == nullptr ? nullptr : value.reader().root->find(section);
  const Node* node = all == nullptr ? nullptr : all->find(reference.source);
  if (node == nullptr)
    return value.invalid(fmt::format("'{}' is not declared under the top-level '{}'", reference.source, section));
  Value definition(*node, fmt::format("{}.{}", section, reference.source), value.reader());
  const auto* file = node->find("file");
  if (file == nullptr) return;  // that is said where it is defined
  Mount mount;
  mount.type = MountType::bind;
  mount.source = definition.resolve(file->text).string();
  auto target = reference.target.empty() ? reference.source : reference.target;
  mount.target = target.starts_with('/') ? target : place + target;
  mount.read_only = true;
  value.writes(fmt::format("{}.mounts[{}]", draft.model_path, draft.service.mounts.size()));
  draft.service.mounts.push_back(std::move(mount));
}

void read_files(const Value& value, ServiceDraft& draft, const char* section, const std::string& place) {
  if (!value.node().is_sequence()) return value.wrong_type("a list");
  for (std::size_t i = 0; i < value.node().items.size(); ++i) {
    auto item = value.at(i);
    Reference reference;
    if (item.node().is_mapping()) {
      if (!read_keys<Reference>(item, kReferenceKeys, reference)) continue;
    } else if (auto name = item.string()) {
      reference.source = *name;
    }
    if (!reference.source.empty()) add_file(item, reference, section, place, draft);
  }
}

}  // namespace

void read_build_secrets(const Value& value, StringMap& out) {
  ServiceDraft none;
  read_files(value, none, "secrets", "/");
  for (const auto& mount : none.service.mounts) out[mount.target.substr(1)] = mount.source;
}

void read_secrets(const Value& value, ServiceDraft& draft) { read_files(value, draft, "secrets", "/run/secrets/"); }
void read_configs(const Value& value, ServiceDraft& draft) { read_files(value, draft, "configs", "/"); }

void read_file_definitions(const Value& value, Stack&) {
  if (!value.node().is_mapping()) return value.wrong_type("a mapping");
  for (const auto& entry : value.node().entries) {
    auto inner = value.at(entry);
    Definition definition;
    if (!read_keys<Definition>(inner, kDefinitionKeys, definition)) continue;
    if (definition.elsewhere) {
      definition.elsewhere->unsupported("Gantry supports only those with 'file' yet");
    } else if (definition.file.empty()) {
      inner.invalid("the key 'file' is missing");
    }
  }
}

}  // namespace gantry::compose
