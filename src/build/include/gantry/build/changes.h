#pragma once

#include <string>
#include <vector>

#include "gantry/oci/image_spec.h"

namespace gantry::build {

/// A configuration after Dockerfile instructions that only change configurations, as `commit --change` and
/// `import --change` take them: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, SHELL, STOPSIGNAL, USER,
/// VOLUME, WORKDIR. Pure. Error invalid with findings; line n of the "file" is the nth change.
oci::ImageConfig apply_changes(oci::ImageConfig config, const std::vector<std::string>& changes);

}  // namespace gantry::build
