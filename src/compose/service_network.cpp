#include "service.h"

namespace gantry::compose {

namespace {

struct AttachmentDraft {
  Attachment attachment;
  std::optional<std::int32_t> gateway_priority;
};

constexpr Key<AttachmentDraft> kAttachmentKeys[] = {
    {"aliases", into<&AttachmentDraft::attachment, &Attachment::aliases>},
    {"ipv4_address", into<&AttachmentDraft::attachment, &Attachment::ipv4_address>},
    {"ipv6_address", into<&AttachmentDraft::attachment, &Attachment::ipv6_address>},
    {"priority", into<&AttachmentDraft::attachment, &Attachment::priority>},
    {"gw_priority", into<&AttachmentDraft::gateway_priority>},
    {"driver_opts"},
    {"interface_name"},
    {"link_local_ips"},
    {"mac_address", into<&AttachmentDraft::attachment, &Attachment::mac_address>},
};

constexpr Key<Dependency> kDependencyKeys[] = {
    {"condition",
     [](const Value& value, Dependency& dependency) {
       auto name = value.string();
       if (!name) return;
       static const std::map<std::string_view, DependencyCondition> kConditions{
           {"service_started", DependencyCondition::service_started},
           {"service_healthy", DependencyCondition::service_healthy},
           {"service_completed_successfully", DependencyCondition::service_completed_successfully}};
       auto found = kConditions.find(*name);
       if (found != kConditions.end()) {
         dependency.condition = found->second;
       } else {
         value.invalid(
             fmt::format("unknown condition '{}': expected service_started, service_healthy or "
                         "service_completed_successfully",
                         *name));
       }
     }},
    {"required", into<&Dependency::required>},
    {"restart", into<&Dependency::restart>},
};

void attach(const Value& value, const std::string& network, ServiceDraft& draft) {
  AttachmentDraft inner;
  if (!value.node().is_null() && !value.node().is_scalar()) read_keys<AttachmentDraft>(value, kAttachmentKeys, inner);
  if (inner.gateway_priority) inner.attachment.priority = *inner.gateway_priority;
  value.writes(fmt::format("{}.networks.{}", draft.model_path, network));
  draft.service.networks[network] = std::move(inner.attachment);
}

/// A list of names, or a mapping from names to details.
template <class Take>
void read_named(const Value& value, Take take) {
  if (value.node().is_scalar()) return value.wrong_type("a list or a mapping");
  for (std::size_t i = 0; i < value.node().items.size(); ++i) {
    if (auto name = value.at(i).string()) take(value.at(i), *name);
  }
  for (const auto& entry : value.node().entries) {
    auto inner = value.at(entry);
    if (inner.node().is_mapping() || inner.node().is_null()) {
      take(inner, entry.key);
    } else {
      inner.wrong_type("a mapping");
    }
  }
}

void add_host(const Value& value, std::string name, std::string_view address, ServiceDraft& draft) {
  if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
  value.writes(fmt::format("{}.extra_hosts[{}]", draft.model_path, draft.service.extra_hosts.size()));
  draft.service.extra_hosts.push_back({std::move(name), std::string(address)});
}

}  // namespace

void read_networks(const Value& value, ServiceDraft& draft) {
  draft.networks_given = true;
  read_named(value, [&](const Value& inner, const std::string& name) { attach(inner, name, draft); });
}

void read_depends_on(const Value& value, ServiceDraft& draft) {
  read_named(value, [&](const Value& inner, const std::string& name) {
    Dependency dependency;
    if (inner.node().is_mapping()) read_keys<Dependency>(inner, kDependencyKeys, dependency);
    inner.writes(fmt::format("{}.depends_on.{}", draft.model_path, name));
    draft.service.depends_on[name] = dependency;
  });
}

void read_extra_hosts(const Value& value, ServiceDraft& draft) {
  if (value.node().is_scalar()) return value.wrong_type("a list of NAME:ADDRESS or a mapping");
  for (std::size_t i = 0; i < value.node().items.size(); ++i) {
    auto item = value.at(i);
    auto text = item.string();
    if (!text) continue;
    auto separator = text->find('=');
    if (separator == std::string::npos) separator = text->find(':');
    if (separator == std::string::npos || separator == 0) {
      item.invalid(fmt::format("'{}' is not NAME:ADDRESS", *text));
    } else {
      add_host(item, text->substr(0, separator), std::string_view(*text).substr(separator + 1), draft);
    }
  }
  for (const auto& entry : value.node().entries) {
    std::vector<std::string> addresses;
    if (!value.at(entry).read_list(addresses)) continue;
    for (const auto& address : addresses) add_host(value.at(entry), entry.key, address, draft);
  }
}

}  // namespace gantry::compose
