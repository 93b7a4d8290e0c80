#include "sysctl.h"

#include <fcntl.h>

#include <filesystem>

#include "gantry/base/fd.h"
#include "gantry/base/files.h"

namespace gantry::network {
namespace {

namespace fs = std::filesystem;
// /proc/net and /proc/sys/net follow the reading thread; this path does so for files below /proc/sys too.
const fs::path kRoot = "/proc/sys/net";
constexpr const char* kForward4 = "ipv4/ip_forward";
constexpr const char* kForward6 = "ipv6/conf/all/forwarding";
constexpr const char* kRedirects = "ipv4/conf/all/accept_redirects";

std::string trimmed(std::string text) {
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

template <class F>
void each_link(const std::string& family, F&& visit) {
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(kRoot / family / "conf", failed))
    visit(family + "/conf/" + entry.path().filename().string());
}

void note(ForwardingBefore& out, const std::string& path) {
  if (auto value = read_sysctl(path)) out.values[path] = *value;
}

}  // namespace

std::optional<std::string> read_sysctl(const std::string& path) {
  auto text = read_file_if_exists(kRoot / path);
  return text ? std::optional(trimmed(*text)) : std::nullopt;
}

void write_sysctl(const std::string& path, const std::string& value) {
  auto full = kRoot / path;
  if (!fs::exists(full)) return;
  auto file = open_file(full.string(), O_WRONLY);
  write_all(file.get(), value, "setting " + full.string());
}

bool host_has_ipv6() { return fs::exists(kRoot / "ipv6/conf/all"); }

std::string boot_id() { return trimmed(read_file("/proc/sys/kernel/random/boot_id")); }

bool forwarding_is_on() { return read_sysctl(kForward4) == "1" && (!host_has_ipv6() || read_sysctl(kForward6) == "1"); }

ForwardingBefore forwarding_values() {
  ForwardingBefore out{boot_id(), {}};
  note(out, kForward4);
  note(out, kRedirects);
  each_link("ipv4", [&](const std::string& link) { note(out, link + "/forwarding"); });
  each_link("ipv6", [&](const std::string& link) {
    note(out, link + "/forwarding");
    note(out, link + "/accept_ra");
  });
  return out;
}

ForwardingBefore assumed_values_before() {
  auto out = forwarding_values();
  out.values.erase(kRedirects);
  for (auto& [path, value] : out.values) {
    if (path.ends_with("/accept_ra")) {
      if (value == "2") value = "1";
    } else {
      value = "0";
    }
  }
  return out;
}

void switch_forwarding_on() {
  // With forwarding on the kernel ignores router advertisements unless told otherwise, and a host that got its
  // address from one would lose it.
  each_link("ipv6", [&](const std::string& link) {
    bool general = link.ends_with("/all") || link.ends_with("/default") || link.ends_with("/lo");
    if (!general && read_sysctl(link + "/accept_ra") == "1" && read_sysctl(link + "/forwarding") == "0")
      write_sysctl(link + "/accept_ra", "2");
  });
  write_sysctl(kForward4, "1");
  write_sysctl(kForward6, "1");
}

void restore_forwarding(const ForwardingBefore& before) {
  // The general switches overwrite the setting of each link, so they go first.
  auto restore = [&](const std::string& path) {
    auto found = before.values.find(path);
    if (found != before.values.end() && read_sysctl(path) != found->second) write_sysctl(path, found->second);
  };
  for (const char* general : {kForward4, "ipv4/conf/all/forwarding", "ipv4/conf/default/forwarding", kForward6,
                              "ipv6/conf/default/forwarding"})
    restore(general);
  for (const auto& [path, value] : before.values) restore(path);
}

}  // namespace gantry::network
