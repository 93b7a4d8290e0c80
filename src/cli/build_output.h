#pragma once

#include <string>
#include <vector>

#include "context.h"

namespace gantry::cli {

/// "--output": where what was built goes, besides or instead of the images of the daemon.
struct BuildOutput {
  enum class Kind { image, local, tar, oci, docker, registry };
  Kind kind = Kind::image;
  std::string destination;  ///< a directory or a file; "-": standard output
  std::string name;         ///< image, registry: a further name
  bool push = false;
};

/// "DIR", "-", "type=local,dest=DIR", "type=tar,dest=FILE", "type=oci,dest=FILE", "type=docker,dest=FILE",
/// "type=image,name=REFERENCE,push=true", "type=registry".
BuildOutput parse_build_output(const std::string& text);
/// Whether the image is to stay among those of the daemon when it has no name.
bool keeps_image(const std::vector<BuildOutput>& outputs);

/// `image`: its id; `tags`: the names it got, which are pushed.
task<> write_output(Context& context, BuildOutput output, std::string image, std::vector<std::string> tags,
                    Progress& progress);
/// The answer's body into a file that gets its name when it is whole; "-": standard output.
task<> download_file(http::Response response, std::string path);

}  // namespace gantry::cli
