#include "names.h"

namespace gantry::api::docker {

void require_free_name(Services& services, const std::string& name) {
  if (name.empty()) return;
  std::string owner;
  engine::ContainerFilter filter;
  filter.build_steps = true;
  services.engine().for_each(filter, [&](const engine::ContainerInfo& info) {
    if (info.spec.name == name) owner = info.id.str();
  });
  if (owner.empty()) return;
  throw Error(ErrorKind::conflict,
              "Conflict. The container name \"/" + name + "\" is already in use by container \"" + owner +
                  "\". You have to remove (or rename) that container to be able to reuse that name.");
}

}  // namespace gantry::api::docker
