#pragma once

#include <optional>
#include <string>
#include <string_view>

/// Image references as docker writes them (distribution reference grammar): [domain/]path[:tag][@digest].
namespace gantry::oci {

struct Reference {
  std::string domain;  ///< "docker.io" when none was given
  std::string path;    ///< "library/debian" for "debian"
  std::string tag;     ///< "latest" when neither tag nor digest was given
  std::string digest;  ///< "sha256:..." or empty

  /// Error invalid, naming what is wrong with it.
  static Reference parse(std::string_view text);
  /// docker.io/library/debian:bookworm
  std::string canonical() const;
  /// debian:bookworm
  std::string familiar() const;
};

}  // namespace gantry::oci
