#pragma once

#include <map>
#include <optional>
#include <string>

namespace gantry::volume {

/// A call of mount(2).
struct LocalMount {
  std::string type;    ///< "nfs", "tmpfs", ...; empty: a bind
  std::string device;  ///< what is mounted
  unsigned long flags = 0;
  std::string data;     ///< what the file system itself reads of the options
  std::string address;  ///< a host's name that must become an address in `data`: "addr=" of nfs and cifs
};

/// What options `type`, `device` and `o` mean, as mount(8) would read them; nullopt without any. Error invalid names an
/// unknown key, or one that is missing. Pure.
std::optional<LocalMount> parse_local_mount(const std::map<std::string, std::string>& options);

}  // namespace gantry::volume
