#include "container_files.h"

#include "gantry/base/files.h"
#include "plan.h"

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

}  // namespace

std::string hosts_text(const ContainerInfo& info, const std::vector<NetworkAddress>& addresses) {
  std::string out =
      "127.0.0.1\tlocalhost\n"
      "::1\tlocalhost ip6-localhost ip6-loopback\n"
      "ff02::1\tip6-allnodes\n"
      "ff02::2\tip6-allrouters\n";
  for (const auto& entry : info.spec.extra_hosts) out += extra_host_line(entry, addresses);
  auto hostname = hostname_of(info);
  if (addresses.empty()) return out + "127.0.1.1\t" + hostname + "\n";
  for (const auto& address : addresses) {
    out += address.ipv4 + "\t" + hostname + "\n";
    if (!address.ipv6.empty()) out += address.ipv6 + "\t" + hostname + "\n";
  }
  return out;
}

std::string resolv_text(const std::vector<std::string>& servers) {
  std::string out;
  for (const auto& server : servers) out += "nameserver " + server + "\n";
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
                           const std::vector<NetworkAddress>& addresses, const std::string& resolv_conf) {
  make_directories(directory, 0710);
  write_file(directory / "hosts", hosts_text(info, addresses), 0644);
  write_file(directory / "hostname", hostname_of(info) + "\n", 0644);
  write_file(directory / "resolv.conf", resolv_conf, 0644);
}

}  // namespace gantry::engine
