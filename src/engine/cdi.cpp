#include "cdi.h"

#include <algorithm>

#include "gantry/base/error.h"
#include "gantry/base/files.h"
#include "gantry/base/json.h"
#include "resolve.h"

namespace gantry::engine {
namespace {

namespace fs = std::filesystem;

// The specification's words.
struct CdiNode {
  std::string path;
  std::string hostPath;
  std::string permissions;
};
BOOST_DESCRIBE_STRUCT(CdiNode, (), (path, hostPath, permissions))

struct CdiMount {
  std::string hostPath;
  std::string containerPath;
  std::vector<std::string> options;
};
BOOST_DESCRIBE_STRUCT(CdiMount, (), (hostPath, containerPath, options))

struct CdiHook {
  std::string hookName;
  std::string path;
  std::vector<std::string> args;
  std::vector<std::string> env;
  std::optional<int> timeout;
};
BOOST_DESCRIBE_STRUCT(CdiHook, (), (hookName, path, args, env, timeout))

struct CdiEdits {
  std::vector<std::string> env;
  std::vector<CdiNode> deviceNodes;
  std::vector<CdiMount> mounts;
  std::vector<CdiHook> hooks;
  std::vector<std::uint32_t> additionalGids;
};
BOOST_DESCRIBE_STRUCT(CdiEdits, (), (env, deviceNodes, mounts, hooks, additionalGids))

struct CdiDevice {
  std::string name;
  CdiEdits containerEdits;
};
BOOST_DESCRIBE_STRUCT(CdiDevice, (), (name, containerEdits))

struct CdiFile {
  std::string cdiVersion;
  std::string kind;
  std::vector<CdiDevice> devices;
  CdiEdits containerEdits;  ///< for each container that gets one of them
};
BOOST_DESCRIBE_STRUCT(CdiFile, (), (cdiVersion, kind, devices, containerEdits))

struct Found {
  fs::path file;
  CdiFile content;
  CdiEdits device;
};

std::vector<fs::path> files_in(const fs::path& directory) {
  std::vector<fs::path> out;
  std::error_code missing;
  for (const auto& entry : fs::directory_iterator(directory, missing))
    if (entry.path().extension() == ".json") out.push_back(entry.path());
  std::sort(out.begin(), out.end());
  return out;
}

std::optional<Found> find_in(const fs::path& directory, const std::string& kind, const std::string& name) {
  std::optional<Found> out;
  for (const auto& path : files_in(directory)) {
    auto content = json::from_text<CdiFile>(read_file(path), "device description " + path.string());
    if (content.kind != kind) continue;
    for (const auto& device : content.devices) {
      if (device.name != name) continue;
      if (out)
        throw Error(
            ErrorKind::conflict,
            "device " + kind + "=" + name + " is described by " + out->file.string() + " and by " + path.string(),
            "remove one of the files");
      out = Found{path, content, device.containerEdits};
    }
  }
  return out;
}

Found find_device(const std::string& full_name, const std::vector<fs::path>& directories) {
  auto equals = full_name.find('=');
  for (auto directory = directories.rbegin(); directory != directories.rend(); ++directory)
    if (auto found = find_in(*directory, full_name.substr(0, equals), full_name.substr(equals + 1))) return *found;
  std::string places;
  for (const auto& directory : directories) places += (places.empty() ? "" : " or ") + directory.string();
  throw Error(ErrorKind::not_found, "device " + full_name + " is not described on this host",
              "install its vendor's description (a *.json in " + places + ")");
}

void apply(const CdiEdits& edits, runtime::Plan* plan) {
  plan->environment = merge_environment(std::move(plan->environment), edits.env);
  for (const auto& node : edits.deviceNodes)
    plan->devices.push_back({node.hostPath.empty() ? node.path : node.hostPath, node.path,
                             node.permissions.empty() ? "rwm" : node.permissions});
  for (const auto& mount : edits.mounts) {
    runtime::PlannedMount out;
    out.source = mount.hostPath;
    out.target = mount.containerPath;
    out.read_only = std::find(mount.options.begin(), mount.options.end(), "ro") != mount.options.end();
    out.id_mapped = false;  // the vendor's libraries: to be read by everybody, and on whatever file system they are
    plan->mounts.push_back(std::move(out));
  }
  for (const auto& hook : edits.hooks)
    plan->hooks.push_back({hook.hookName, hook.path, hook.args, hook.env, hook.timeout});
  for (auto group : edits.additionalGids)
    if (std::find(plan->groups.begin(), plan->groups.end(), group) == plan->groups.end()) plan->groups.push_back(group);
}

}  // namespace

const std::vector<fs::path>& cdi_directories() {
  static const std::vector<fs::path> places = {"/etc/cdi", "/var/run/cdi"};
  return places;
}

void add_cdi_devices(const std::vector<std::string>& names, const std::vector<fs::path>& directories,
                     runtime::Plan* plan) {
  std::vector<fs::path> seen;
  for (const auto& name : names) {
    auto found = find_device(name, directories);
    // What a file says of all its devices is said once.
    if (std::find(seen.begin(), seen.end(), found.file) == seen.end()) apply(found.content.containerEdits, plan);
    seen.push_back(found.file);
    apply(found.device, plan);
  }
}

void require_cdi_name(const std::string& name) {
  auto slash = name.find('/');
  auto equals = name.find('=');
  bool well_formed = slash != std::string::npos && slash > 0 && equals != std::string::npos && equals > slash + 1 &&
                     equals + 1 < name.size() && name.find_first_of(" \t\n") == std::string::npos;
  if (!well_formed)
    throw Error(ErrorKind::invalid, "device '" + name + "' is not the name of one",
                "write it as vendor.com/class=name");
}

}  // namespace gantry::engine
