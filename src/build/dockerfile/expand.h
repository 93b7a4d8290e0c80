#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

/// Variables, quotes and escapes in a word of a Dockerfile
/// (https://docs.docker.com/reference/dockerfile/#environment-replacement). Pure.
namespace gantry::build {

using Lookup = std::function<std::optional<std::string>(std::string_view)>;

/// $name, ${name}, ${name:-w}, ${name-w}, ${name:+w}, ${name+w}, ${name:?w}, ${name?w}, ${name#p}, ${name##p},
/// ${name%p}, ${name%%p}, ${name/p/w}, ${name//p/w}; single quotes are verbatim; the escape character takes away a
/// meaning. Error invalid.
std::string expand_word(std::string_view word, const Lookup& lookup, char escape);
/// The content of a here-document: variables are replaced, quotes stay, and a backslash counts only before '$' and
/// itself, as in a shell.
std::string expand_heredoc(std::string_view text, const Lookup& lookup);

}  // namespace gantry::build
