#include "container_files.h"

#include <algorithm>
#include <sstream>

#include "gantry/base/files.h"
#include "gantry/base/text.h"
#include "plan.h"
#include "sharing.h"

namespace gantry::engine {
namespace {

std::string extra_host_line(const std::string& entry, const std::vector<NetworkAddress>& addresses) {
  auto colon = entry.find(':');
  auto address = entry.substr(colon + 1);
  if (address == "host-gateway") address = addresses.empty() ? "127.0.0.1" : addresses.front().gateway;
  // Compose allows an IPv6 address in brackets.
  if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
  return address + "\t" + entry.substr(0, colon) + "\n";
}

// With the host's network come the host's names.
std::string host_hosts_text(const ContainerInfo& info) {
  auto out = read_file_if_exists("/etc/hosts").value_or("");
  if (!out.empty() && !out.ends_with('\n')) out += '\n';
  for (const auto& entry : info.spec.extra_hosts) out += extra_host_line(entry, {});
  return out;
}

std::string words_line(const char* keyword, const std::vector<std::string>& words) {
  std::string out = keyword;
  for (const auto& word : words) out += " " + word;
  return out + "\n";
}

// With the domain, where there is one, before the name alone.
std::string own_names(const ContainerInfo& info) {
  auto name = hostname_of(info);
  return "\t" + (info.spec.domain_name.empty() ? name : name + "." + info.spec.domain_name + " " + name);
}

std::vector<std::string> own_lines(const ContainerInfo& info, const std::vector<NetworkAddress>& addresses) {
  auto name = own_names(info);
  if (addresses.empty()) return {"127.0.1.1" + name};
  std::vector<std::string> out;
  for (const auto& address : addresses) {
    out.push_back(address.ipv4 + name);
    if (!address.ipv6.empty()) out.push_back(address.ipv6 + name);
  }
  return out;
}

// By these a line is known again.
std::string linked_names(const Link& link) { return "\t" + link.alias + " " + short_id(ContainerId(link.container)); }

std::vector<std::string> lines_of(const std::string& text) {
  auto out = split(text, '\n');
  if (out.back().empty()) out.pop_back();  // behind the last line's end
  return out;
}

}  // namespace

std::string linked_line(const std::string& address, const Link& link, const std::string& name) {
  return address + linked_names(link) + (name == link.alias ? "" : " " + name) + "\n";
}

std::string hosts_unlinked(const std::string& text, const Link& link) {
  auto names = linked_names(link);
  std::string out;
  for (const auto& line : lines_of(text)) {
    auto at = line.find('\t');
    auto rest = at == std::string::npos ? std::string() : line.substr(at);
    if (rest != names && !rest.starts_with(names + " ")) out += line + "\n";
  }
  return out;
}

std::string hosts_text(const ContainerInfo& info, const std::vector<NetworkAddress>& addresses,
                       const std::string& linked) {
  std::string out =
      "127.0.0.1\tlocalhost\n"
      "::1\tlocalhost ip6-localhost ip6-loopback\n"
      "ff02::1\tip6-allnodes\n"
      "ff02::2\tip6-allrouters\n";
  for (const auto& entry : info.spec.extra_hosts) out += extra_host_line(entry, addresses);
  out += linked;
  for (const auto& line : own_lines(info, addresses)) out += line + "\n";
  return out;
}

std::string hosts_changed(const std::string& text, const ContainerInfo& info,
                          const std::vector<NetworkAddress>& addresses) {
  auto wanted = own_lines(info, addresses);
  std::vector<std::string> kept;
  for (const auto& entry : info.spec.extra_hosts) kept.push_back(extra_host_line(entry, addresses));
  std::string out;
  for (const auto& line : lines_of(text)) {
    bool own = line.ends_with(own_names(info)) && std::find(kept.begin(), kept.end(), line + "\n") == kept.end();
    if (!own || std::erase(wanted, line) > 0) out += line + "\n";
  }
  for (const auto& line : wanted) out += line + "\n";
  return out;
}

std::string resolv_text(const ContainerSpec& spec, const std::string& usual) {
  std::istringstream lines(usual);
  std::string out;
  for (std::string line; std::getline(lines, line);) {
    bool replaced = (line.starts_with("nameserver") && !spec.dns.empty()) ||
                    (line.starts_with("search") && !spec.dns_search.empty()) ||
                    (line.starts_with("options") && !spec.dns_options.empty());
    if (!replaced) out += line + "\n";
  }
  for (const auto& server : spec.dns) out += "nameserver " + server + "\n";
  // A single dot says: none, not even the usual ones.
  if (!spec.dns_search.empty() && spec.dns_search != std::vector<std::string>{"."})
    out += words_line("search", spec.dns_search);
  if (!spec.dns_options.empty()) out += words_line("options", spec.dns_options);
  return out;
}

std::filesystem::path make_container_directories(const std::filesystem::path& parent) {
  ContainerPaths paths{parent / random_hex(12)};
  make_directories(parent, 0711);
  make_directories(paths.root, 0710);
  make_directories(paths.state(), 0700);
  for (const auto& directory : {paths.upper(), paths.work()}) {
    make_directories(directory, 0755);
    std::filesystem::permissions(directory, std::filesystem::perms(0755));  // whatever the daemon's umask is
  }
  return paths.root;
}

void throw_away(const std::filesystem::path& directory, const std::filesystem::path& trash) {
  if (!std::filesystem::exists(directory)) return;
  make_directories(trash, 0700);
  std::filesystem::rename(directory, trash / directory.filename());
}

bool remove_one(const std::filesystem::path& trash) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(trash, ignored)) {
    remove_tree(entry.path());
    return true;
  }
  return false;
}

void adopt_directories(const std::filesystem::path& made, const std::filesystem::path& directory) {
  if (!made.empty() && !std::filesystem::exists(directory)) std::filesystem::rename(made, directory);
}

void write_container_files(const std::filesystem::path& directory, const ContainerInfo& info,
                           const std::vector<NetworkAddress>& addresses, const std::string& resolv_conf,
                           const std::string& linked) {
  make_directories(directory, 0710);
  auto network = mode_of(info.spec.namespaces.network);
  if (network == NamespaceMode::container) return;  // that one's are used
  bool hosts_own = network == NamespaceMode::host;
  write_file(directory / "hosts", hosts_own ? host_hosts_text(info) : hosts_text(info, addresses, linked), 0644);
  write_file(directory / "hostname", hostname_of(info) + "\n", 0644);
  auto usual = hosts_own ? read_file_if_exists("/etc/resolv.conf").value_or("") : resolv_conf;
  write_file(directory / "resolv.conf", resolv_text(info.spec, usual), 0644);
}

}  // namespace gantry::engine
