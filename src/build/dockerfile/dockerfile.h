#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dockerfile/source.h"
#include "gantry/base/error.h"

/// A Dockerfile as written: instructions in stages, checked as far as that is possible without variables, images and
/// files. Pure.
namespace gantry::build {

enum class Keyword {
  from,
  arg,
  env,
  label,
  run,
  copy,
  add,
  workdir,
  user,
  expose,
  volume,
  cmd,
  entrypoint,
  healthcheck,
  stopsignal,
  shell,
  onbuild,
  maintainer
};

struct Word {
  std::string text;  ///< quotes, escapes and variables as written
  SourcePlace place;
};

struct Flag {
  std::string name;  ///< without "--"
  Word value;        ///< empty for a bare flag
  bool has_value = false;
  SourcePlace place;
};

struct Pair {
  Word key;
  std::optional<Word> value;  ///< unset: ARG without a default
};

struct Instruction {
  Keyword keyword{};
  std::string text;  ///< as written, on one line, for people
  SourcePlace place;
  std::vector<Flag> flags;
  Word rest;                      ///< everything behind the flags
  bool json = false;              ///< exec form; `words` are the strings of the array, final
  std::vector<Word> words;        ///< split at blanks, or the array
  std::vector<Pair> pairs;        ///< ARG, ENV, LABEL
  std::vector<Heredoc> heredocs;  ///< in the order of their words
  std::string heredoc_text;       ///< all bodies as written

  const Flag* flag(std::string_view name) const;
};

struct Stage {
  Word base;
  std::optional<Word> platform;
  std::string name;  ///< lower case; empty when it has none
  SourcePlace place;
  std::string text;
  std::vector<Instruction> instructions;
};

struct Dockerfile {
  char escape = '\\';
  std::vector<Instruction> globals;  ///< ARG before the first FROM
  std::vector<Stage> stages;
  std::vector<std::string> notes;  ///< what was accepted but has no effect

  /// The stage of this name or number; nullopt when there is none.
  std::optional<std::size_t> find_stage(std::string_view name_or_number) const;
};

/// Error invalid with every mistake in `findings`, in the order of the file.
Dockerfile parse_dockerfile(std::string_view text, const std::string& file);

/// The instruction behind an ONBUILD trigger. Error invalid with findings; `origin` names the image it came from.
Instruction parse_trigger(std::string_view text, const std::string& origin);

std::string_view name_of(Keyword keyword);

}  // namespace gantry::build
