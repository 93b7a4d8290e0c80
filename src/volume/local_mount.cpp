#include "local_mount.h"

#include <sys/mount.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "gantry/base/error.h"

namespace gantry::volume {
namespace {

struct Word {
  std::string_view name;
  unsigned long set;
  unsigned long cleared;
};

constexpr std::array<Word, 25> kWords{{{"defaults", 0, 0},
                                       {"ro", MS_RDONLY, 0},
                                       {"rw", 0, MS_RDONLY},
                                       {"nosuid", MS_NOSUID, 0},
                                       {"suid", 0, MS_NOSUID},
                                       {"nodev", MS_NODEV, 0},
                                       {"dev", 0, MS_NODEV},
                                       {"noexec", MS_NOEXEC, 0},
                                       {"exec", 0, MS_NOEXEC},
                                       {"sync", MS_SYNCHRONOUS, 0},
                                       {"async", 0, MS_SYNCHRONOUS},
                                       {"dirsync", MS_DIRSYNC, 0},
                                       {"remount", 0, 0},
                                       {"mand", MS_MANDLOCK, 0},
                                       {"nomand", 0, MS_MANDLOCK},
                                       {"atime", 0, MS_NOATIME},
                                       {"noatime", MS_NOATIME, 0},
                                       {"diratime", 0, MS_NODIRATIME},
                                       {"nodiratime", MS_NODIRATIME, 0},
                                       {"bind", MS_BIND, 0},
                                       {"rbind", MS_BIND | MS_REC, 0},
                                       {"relatime", MS_RELATIME, 0},
                                       {"norelatime", 0, MS_RELATIME},
                                       {"strictatime", MS_STRICTATIME, 0},
                                       {"nostrictatime", 0, MS_STRICTATIME}}};

[[noreturn]] void refuse(const std::string& message, std::string fix) {
  throw Error(ErrorKind::invalid, message, std::move(fix));
}

void take_word(const std::string& word, LocalMount& out) {
  auto known = std::find_if(kWords.begin(), kWords.end(), [&](const Word& one) { return one.name == word; });
  if (known != kWords.end()) {
    out.flags = (out.flags | known->set) & ~known->cleared;
    return;
  }
  if (word.starts_with("addr=")) out.address = word.substr(5);
  out.data += (out.data.empty() ? "" : ",") + word;
}

}  // namespace

std::optional<LocalMount> parse_local_mount(const std::map<std::string, std::string>& options) {
  if (options.empty()) return std::nullopt;
  LocalMount out;
  for (const auto& [key, value] : options) {
    if (key == "type") {
      out.type = value;
    } else if (key == "device") {
      out.device = value;
    } else if (key == "o") {
      for (std::size_t at = 0; at <= value.size();) {
        auto end = std::min(value.find(',', at), value.size());
        if (end > at) take_word(value.substr(at, end - at), out);
        at = end + 1;
      }
    } else if (key == "size") {
      refuse("quota size requested but no quota support: volumes have no size of their own",
             "use type=tmpfs with o=size=..., or put a quota on the data directory");
    } else {
      refuse("invalid option: \"" + key + "\"", "the driver local knows type, device and o");
    }
  }
  bool bind = (out.flags & MS_BIND) != 0;
  if (out.device.empty()) refuse("missing required option: \"device\"", "say what is to be mounted");
  if (out.type.empty() && !bind) refuse("missing required option: \"type\"", "say which file system it is, as nfs");
  if (bind && !out.device.starts_with('/'))
    refuse("device '" + out.device + "' is not an absolute path", "give the directory's path from / on");
  if (bind) out.type.clear();
  if (out.address.empty() || (out.type != "nfs" && out.type != "nfs4" && out.type != "cifs")) out.address.clear();
  return out;
}

}  // namespace gantry::volume
