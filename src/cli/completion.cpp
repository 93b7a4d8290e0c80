#include "completion.h"

#include <fmt/format.h>

#include <set>

#include "command.h"
#include "gantry/base/text.h"
#include "help.h"
#include "text.h"

namespace gantry::cli {
namespace {

// "manage images", "manage registries"
std::string managing(const std::string& family) {
  bool irregular = family.ends_with("y");
  return "manage " + (irregular ? family.substr(0, family.size() - 1) + "ies" : family + "s");
}

struct Entry {
  std::string name;
  std::string summary;
  std::vector<Options::Option> options;
  std::string values;  ///< a command line that lists what its arguments can be; empty: files
};

// What the first argument of a command names, by the label of its positional.
std::string value_source(const Command& command, const Options& options) {
  if (options.positionals().empty()) return {};
  const auto& label = options.positionals().front().label;
  if (command.name == "completion") return "printf 'bash\\nzsh\\nfish\\n'";
  if (label == "SERVICE") return "gantry config --services 2>/dev/null";
  if (label == "NETWORK") return "gantry network ls -q 2>/dev/null";
  if (label == "VOLUME") return "gantry volume ls -q 2>/dev/null";
  if (label == "IMAGE" || label == "SOURCE" || label == "REFERENCE")
    return "gantry image ls 2>/dev/null | awk 'NR > 1 {print $1}'";
  if (label == "NAME" && command.name.find(' ') == std::string_view::npos) return "gantry ps -a --names 2>/dev/null";
  return {};
}

std::vector<Entry> entries() {
  std::vector<Entry> out;
  for (const auto& group : command_groups()) {
    for (const auto& command : group.commands) {
      GlobalFlags flags;
      auto prepared = command.prepare();
      declare_global(prepared.options, flags);
      out.push_back({std::string(command.name), std::string(command.summary), prepared.options.declared(),
                     value_source(command, prepared.options)});
    }
  }
  return out;
}

std::set<std::string> first_words(const std::vector<Entry>& all) {
  std::set<std::string> words;
  for (const auto& entry : all) words.insert(cut(entry.name, ' ').before);
  return words;
}

std::string option_words(const Entry& entry) {
  std::vector<std::string> words;
  for (const auto& option : entry.options)
    for (auto& name : split(option.names, ',')) words.push_back(std::move(name));
  return join(words, " ");
}

std::string second_words(const std::vector<Entry>& all, const std::string& family) {
  std::vector<std::string> words;
  for (const auto& entry : all)
    if (entry.name.starts_with(family + " ")) words.push_back(cut(entry.name, ' ').after);
  return join(words, " ");
}

std::string bash(const std::vector<Entry>& all) {
  auto words = first_words(all);
  std::string text = "# bash completion for gantry; made by 'gantry completion bash'\n_gantry() {\n";
  text += "  local current=\"${COMP_WORDS[COMP_CWORD]}\" command=\"${COMP_WORDS[1]}\" options= values=\n";
  text += "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n    COMPREPLY=($(compgen -W \"" +
          join({words.begin(), words.end()}, " ") + "\" -- \"$current\"))\n    return\n  fi\n";
  text += "  case \"$command\" in\n";
  for (const auto& word : words) {
    auto below = second_words(all, word);
    if (below.empty()) continue;
    text += "    " + word + ")\n      if [ \"$COMP_CWORD\" -eq 2 ]; then\n        COMPREPLY=($(compgen -W \"" + below +
            "\" -- \"$current\"))\n        return\n      fi\n      command=\"$command ${COMP_WORDS[2]}\" ;;\n";
  }
  text += "  esac\n  case \"$command\" in\n";
  for (const auto& entry : all) {
    text += "    \"" + entry.name + "\")\n      options=\"" + option_words(entry) + "\"\n";
    if (!entry.values.empty()) text += "      [[ $current == -* ]] || values=\"$(" + entry.values + ")\"\n";
    text += "      ;;\n";
  }
  text += "  esac\n  if [[ $current == -* ]]; then\n    COMPREPLY=($(compgen -W \"$options\" -- \"$current\"))\n";
  text += "  elif [ -n \"$values\" ]; then\n    COMPREPLY=($(compgen -W \"$values\" -- \"$current\"))\n  fi\n}\n";
  return text + "complete -o default -F _gantry gantry\n";
}

/// For a description inside single quotes and brackets of zsh.
std::string zsh_text(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else if (c == '[' || c == ']' || c == ':') {
      out += '\\';
      out += c;
    } else {
      out += c;
    }
  }
  return out;
}

std::string zsh_option(const Options::Option& option) {
  auto names = split(option.names, ',');
  std::string text;
  for (const auto& name : names)
    text += " \\\n        '*" + name + "[" + zsh_text(option.help) + "]" +
            (option.label.empty() ? "" : ":" + zsh_text(option.label) + ":_files") + "'";
  return text;
}

std::string zsh_words(const std::vector<Entry>& all, const std::string& family) {
  std::string text;
  std::set<std::string> seen;
  for (const auto& entry : all) {
    auto [first, second, nested] = cut(entry.name, ' ');
    bool wanted = family.empty() || (nested && first == family);
    auto word = family.empty() ? first : second;
    if (!wanted || !seen.insert(word).second) continue;
    auto summary = family.empty() && nested ? managing(first) : entry.summary;
    text += " '" + word + ":" + zsh_text(summary) + "'";
  }
  return text;
}

std::string zsh(const std::vector<Entry>& all) {
  std::string text = "#compdef gantry\n# zsh completion for gantry; made by 'gantry completion zsh'\n_gantry() {\n";
  text += "  local -a words_here\n  local command=\"${words[2]}\"\n";
  text += "  if (( CURRENT == 2 )); then\n    words_here=(" + zsh_words(all, "") +
          ")\n    _describe command words_here\n    return\n  fi\n  case \"$command\" in\n";
  for (const auto& word : first_words(all)) {
    if (second_words(all, word).empty()) continue;
    text += "    " + word + ")\n      if (( CURRENT == 3 )); then\n        words_here=(" + zsh_words(all, word) +
            ")\n        _describe command words_here\n        return\n      fi\n      command=\"$command ${words[3]}\" "
            ";;\n";
  }
  text += "  esac\n  case \"$command\" in\n";
  for (const auto& entry : all) {
    text += "    '" + entry.name + "')\n      _arguments";
    for (const auto& option : entry.options) text += zsh_option(option);
    text += entry.values.empty() ? " \\\n        '*:argument:_files' ;;\n"
                                 : " \\\n        '*:argument:{ compadd -- ${(f)\"$(" +
                                       [&] {
                                         std::string escaped;
                                         for (char c : entry.values)
                                           escaped += c == '\'' ? std::string("'\\''") : std::string(1, c);
                                         return escaped;
                                       }() +
                                       ")\"} }' ;;\n";
  }
  return text + "  esac\n}\n_gantry \"$@\"\n";
}

std::string fish_text(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string fish_option(const std::string& condition, const Options::Option& option) {
  std::string text = "complete -c gantry -n '" + condition + "'";
  for (const auto& name : split(option.names, ',')) {
    bool long_name = name.starts_with("--");
    text += long_name ? " -l " + name.substr(2) : " -s " + name.substr(1);
  }
  if (!option.label.empty()) text += " -r";
  return text + " -d '" + fish_text(option.help) + "'\n";
}

std::string fish(const std::vector<Entry>& all) {
  std::string text = "# fish completion for gantry; made by 'gantry completion fish'\n";
  std::set<std::string> seen;
  for (const auto& entry : all) {
    auto [first, second, nested] = cut(entry.name, ' ');
    if (seen.insert(first).second)
      text += "complete -c gantry -f -n __fish_use_subcommand -a " + first + " -d '" +
              fish_text(nested ? managing(first) : entry.summary) + "'\n";
    auto condition = "__fish_seen_subcommand_from " + first;
    if (nested) {
      text += "complete -c gantry -f -n '" + condition + "; and not __fish_seen_subcommand_from " +
              second_words(all, first) + "' -a " + second + " -d '" + fish_text(entry.summary) + "'\n";
      condition += "; and __fish_seen_subcommand_from " + second;
    }
    for (const auto& option : entry.options) text += fish_option(condition, option);
    if (!entry.values.empty())
      text += "complete -c gantry -f -n '" + condition + "' -a '(" + fish_text(entry.values) + ")'\n";
  }
  return text;
}

struct Shell {
  std::string_view name;
  std::string (*script)(const std::vector<Entry>& all);
};
constexpr Shell kShells[]{{"bash", bash}, {"zsh", zsh}, {"fish", fish}};

}  // namespace

std::string completion_script(std::string_view shell) {
  for (const auto& known : kShells)
    if (known.name == shell) return known.script(entries());
  throw Error(ErrorKind::invalid, fmt::format("no completion for shell '{}'", shell), "use bash, zsh or fish");
}

}  // namespace gantry::cli
