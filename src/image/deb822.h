#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

/// Debian control file syntax, deb822(5).
namespace gantry::image::apt {

/// Field names in lower case. The lines of a folded value are joined by newlines, their leading blank removed.
using Stanza = std::map<std::string, std::string>;

std::vector<Stanza> parse_stanzas(std::string_view text);
/// Empty when it is not there.
std::string field(const Stanza& stanza, const std::string& name);
/// A value as it stands behind the colon: " value", its further lines indented.
std::string folded(const std::string& value);

}  // namespace gantry::image::apt
