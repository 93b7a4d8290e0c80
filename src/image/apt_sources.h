#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

/// This machine's apt configuration, as far as making a base image needs it (sources.list(5), apt.conf(5)).
namespace gantry::image::apt {

/// One "deb" source: one mirror, one suite.
struct Source {
  std::string uri;
  std::string suite;
  std::vector<std::string> components;
  std::string signed_by;  ///< a path, or key text as deb822 allows it; empty: apt's trusted keys
  bool operator==(const Source&) const = default;
};

/// The one-line format. Lines that are no binary source, or a flat repository, are left out.
std::vector<Source> parse_list(std::string_view text);
/// The deb822 format. Disabled stanzas are left out.
std::vector<Source> parse_deb822(std::string_view text);
/// /etc/apt/sources.list and sources.list.d below `etc_apt`, in apt's order.
std::vector<Source> read_sources(const std::filesystem::path& etc_apt);

/// The sources that `suite` may be made from: those of its own (also -updates and -security), or else those of another
/// Debian suite with this suite's name put in, `main` only. May name suites that the mirror does not have.
std::vector<Source> choose(const std::vector<Source>& sources, const std::string& suite);

/// A sources file for the image.
std::string to_deb822(const std::vector<Source>& sources);

/// From the output of `apt-config dump`: the settings that decide whether apt can fetch at all here (proxies, and
/// whether the age of an archive is checked), as lines for apt.conf.
std::vector<std::string> needed_options(std::string_view dump);

/// Fields of a Release file, signed or not, before its lists of files.
std::map<std::string, std::string> parse_release(std::string_view text);

/// "name=version" of every installed package in a dpkg status file, sorted, one a line.
std::string installed_packages(std::string_view status);

}  // namespace gantry::image::apt
