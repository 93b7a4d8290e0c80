#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace gantry::cli {

/// What one command accepts, as data: parsing, help, completion and the manual page all read the same declarations.
/// The targets must outlive `parse`.
class Options {
 public:
  using Target = std::variant<bool*, std::string*, std::optional<std::string>*, std::vector<std::string>*>;
  struct Option {
    std::string names;  ///< "-f,--file"
    std::string label;  ///< what the value is, "FILE"; empty: a flag
    std::string help;
    Target target;
  };
  struct Positional {
    std::string label;
    bool required = false;
    bool repeated = false;
    std::variant<std::string*, std::vector<std::string>*> target;
  };

  Options& flag(std::string names, bool& target, std::string help);
  Options& value(std::string names, std::string label, std::string& target, std::string help);
  Options& value(std::string names, std::string label, std::optional<std::string>& target, std::string help);
  /// May be given several times.
  Options& list(std::string names, std::string label, std::vector<std::string>& target, std::string help);

  Options& required(std::string label, std::string& target);
  Options& optional(std::string label, std::string& target);
  /// Takes all that is left; must come last.
  Options& rest(std::string label, std::vector<std::string>& target, bool at_least_one = false);
  /// Options end at the first word that is none: the rest belongs to the program that is run.
  Options& stop_at_first_word();

  /// Throws Error (invalid) that names the mistake and the nearest option.
  void parse(const std::vector<std::string>& arguments);

  const std::vector<Option>& declared() const { return options_; }
  const std::vector<Positional>& positionals() const { return positionals_; }
  /// "[OPTIONS] IMAGE [COMMAND...]"
  std::string synopsis() const;
  bool has(std::string_view name) const;
  /// Every name of every option: "-f", "--file".
  std::vector<std::string> all_names() const;

 private:
  void bind(const std::vector<std::string>& words);
  std::vector<std::string> words_of(std::vector<std::string> remaining) const;

  std::vector<Option> options_;
  std::vector<Positional> positionals_;
  bool stops_ = false;
};

}  // namespace gantry::cli
