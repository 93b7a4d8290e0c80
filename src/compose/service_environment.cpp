#include "project.h"
#include "service.h"

namespace gantry::compose {

namespace {

constexpr Key<EnvFileEntry> kEnvFileKeys[] = {
    {"path", into<&EnvFileEntry::path>},
    {"required", into<&EnvFileEntry::required>},
    {"format", into<&EnvFileEntry::format>},
};

void read_entry(const Value& value, ServiceDraft& draft) {
  EnvFileEntry entry;
  if (value.node().is_scalar()) {
    entry.path = value.node().text;
  } else if (!read_keys<EnvFileEntry>(value, kEnvFileKeys, entry)) {
    return;
  }
  if (entry.path.empty()) return value.invalid("the path is empty");
  if (!entry.format.empty() && entry.format != "raw")
    return value.invalid(fmt::format("unknown format '{}': expected raw", entry.format));
  entry.path = value.resolve(entry.path).string();
  draft.env_files.emplace_back(value.place(), std::move(entry));
}

void add_file(const Place& place, const EnvFileEntry& entry, const Value& service, OptionalStringMap& all) {
  auto& reader = service.reader();
  auto shown = shown_path(entry.path, reader.options);
  auto text = reader.options.read_file(entry.path);
  if (!text) {
    if (entry.required)
      reader.findings.invalid(place, fmt::format("{}.env_file: there is no file {}", service.path(), shown));
    return;
  }
  auto& source = reader.sources.emplace_back(Source{shown});
  Lookup lookup = [&](const std::string& name) {
    auto found = all.find(name);
    auto own = reader.lookup(name);
    return own || found == all.end() ? own : found->second;
  };
  auto format = entry.format == "raw" ? EnvFormat::raw : EnvFormat::compose;
  for (auto& [name, variable] : parse_env_file(*text, source, lookup, format, reader.findings))
    all.insert_or_assign(name, std::move(variable));
}

}  // namespace

void read_env_files(const Value& value, ServiceDraft& draft) {
  if (!value.node().is_sequence()) return read_entry(value, draft);
  for (std::size_t i = 0; i < value.node().items.size(); ++i) read_entry(value.at(i), draft);
}

void resolve_environment(const Value& value, ServiceDraft& draft) {
  OptionalStringMap all;
  for (const auto& [place, entry] : draft.env_files) add_file(place, entry, value, all);
  for (auto& [name, variable] : draft.environment) all.insert_or_assign(name, std::move(variable));
  for (auto& [name, variable] : all) {
    // A name without a value passes the client's variable on, and is dropped when the client has none.
    auto resolved = variable ? variable : value.reader().lookup(name);
    if (resolved) draft.service.environment[name] = *resolved;
  }
}

}  // namespace gantry::compose
