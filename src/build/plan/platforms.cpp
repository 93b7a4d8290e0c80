#include "plan/platforms.h"

#include <filesystem>
#include <map>
#include <vector>

#include "gantry/base/error.h"

namespace gantry::build {

Platform parse_platform(const std::string& text, const Platform& host) {
  if (text == "local") return host;
  std::vector<std::string> parts;
  for (std::size_t at = 0; at <= text.size();) {
    auto end = std::min(text.find('/', at), text.size());
    parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  if (parts.size() == 1) parts.insert(parts.begin(), "linux");
  bool good = parts.size() <= 3;
  for (const auto& part : parts)
    good =
        good && !part.empty() && part.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_.") == std::string::npos;
  if (!good)
    throw Error(ErrorKind::invalid, "\"" + text + "\" is no platform", "write one like linux/amd64 or linux/arm/v7");
  static const std::map<std::string, std::string> kNames{
      {"x86_64", "amd64"}, {"aarch64", "arm64"}, {"i386", "386"}, {"armhf", "arm"}};
  auto known = kNames.find(parts[1]);
  return {parts[0], known == kNames.end() ? parts[1] : known->second, parts.size() == 3 ? parts[2] : ""};
}

bool is_for(const Platform& has, const Platform& wanted) {
  return has.os == wanted.os && has.architecture == wanted.architecture &&
         (has.variant.empty() || wanted.variant.empty() || has.variant == wanted.variant);
}

bool can_run(const Platform& platform, const Platform& host) {
  if (platform.os != host.os) return false;
  if (platform.architecture == host.architecture) return true;
  if (host.architecture == "amd64" && platform.architecture == "386") return true;
  static const std::map<std::string, std::string> kEmulators{
      {"amd64", "x86_64"}, {"arm64", "aarch64"}, {"386", "i386"}, {"mips64le", "mips64el"}, {"loong64", "loongarch64"}};
  auto named = kEmulators.find(platform.architecture);
  auto name = "qemu-" + (named == kEmulators.end() ? platform.architecture : named->second);
  std::error_code ignored;
  return std::filesystem::exists("/proc/sys/fs/binfmt_misc/" + name, ignored);
}

}  // namespace gantry::build
