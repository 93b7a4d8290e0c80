#include "options.h"

#include <CLI/CLI.hpp>

#include "gantry/base/error.h"
#include "gantry/base/text.h"
#include "text.h"

namespace gantry::cli {
namespace {

void add(CLI::App& app, const Options::Option& option) {
  if (auto* flag = std::get_if<bool*>(&option.target)) {
    app.add_flag(option.names, **flag)->take_last();
  } else if (auto* text = std::get_if<std::string*>(&option.target)) {
    app.add_option(option.names, **text)->take_last();
  } else if (auto* maybe = std::get_if<std::optional<std::string>*>(&option.target)) {
    app.add_option_function<std::string>(option.names, [target = *maybe](const std::string& given) { *target = given; })
        ->take_last();
  } else {
    app.add_option(option.names, *std::get<std::vector<std::string>*>(option.target))->allow_extra_args(false);
  }
}

std::string first_lower(std::string text) {
  if (!text.empty()) text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

}  // namespace

Options& Options::flag(std::string names, bool& target, std::string help) {
  options_.push_back({std::move(names), {}, std::move(help), &target});
  return *this;
}

Options& Options::value(std::string names, std::string label, std::string& target, std::string help) {
  options_.push_back({std::move(names), std::move(label), std::move(help), &target});
  return *this;
}

Options& Options::value(std::string names, std::string label, std::optional<std::string>& target, std::string help) {
  options_.push_back({std::move(names), std::move(label), std::move(help), &target});
  return *this;
}

Options& Options::list(std::string names, std::string label, std::vector<std::string>& target, std::string help) {
  options_.push_back({std::move(names), std::move(label), std::move(help), &target});
  return *this;
}

Options& Options::required(std::string label, std::string& target) {
  positionals_.push_back({std::move(label), true, false, &target});
  return *this;
}

Options& Options::optional(std::string label, std::string& target) {
  positionals_.push_back({std::move(label), false, false, &target});
  return *this;
}

Options& Options::rest(std::string label, std::vector<std::string>& target, bool at_least_one) {
  positionals_.push_back({std::move(label), at_least_one, true, &target});
  return *this;
}

Options& Options::stop_at_first_word() {
  stops_ = true;
  return *this;
}

std::vector<std::string> Options::all_names() const {
  std::vector<std::string> names;
  for (const auto& option : options_)
    for (auto& name : split(option.names, ',')) names.push_back(std::move(name));
  return names;
}

bool Options::has(std::string_view name) const {
  for (const auto& known : all_names())
    if (known == name) return true;
  return false;
}

std::string Options::synopsis() const {
  std::string out = options_.empty() ? "" : "[OPTIONS]";
  for (const auto& positional : positionals_) {
    auto label = positional.label + (positional.repeated ? "..." : "");
    if (!out.empty()) out += ' ';
    out += positional.required ? label : "[" + label + "]";
  }
  return out;
}

void Options::parse(const std::vector<std::string>& arguments) {
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  app.prefix_command(stops_);
  for (const auto& option : options_) add(app, option);
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::ParseError& error) {
    throw Error(ErrorKind::invalid, first_lower(error.what()));
  }
  bind(words_of(app.remaining()));
}

/// What is left after the options, with the "--" taken out and anything that looks like an option refused.
std::vector<std::string> Options::words_of(std::vector<std::string> remaining) const {
  std::vector<std::string> words;
  bool only_words = false;
  for (auto& word : remaining) {
    if (!only_words && word == "--") {
      only_words = true;
      continue;
    }
    if (!only_words && word.size() > 1 && word[0] == '-') {
      auto name = cut(word, '=').before;
      auto near = nearest(name, all_names());
      throw Error(ErrorKind::invalid, "unknown option '" + name + "'",
                  near.empty() ? "" : "did you mean '" + near + "'?");
    }
    if (stops_) only_words = true;
    words.push_back(std::move(word));
  }
  return words;
}

void Options::bind(const std::vector<std::string>& words) {
  std::size_t next = 0;
  for (const auto& positional : positionals_) {
    if (positional.required && next >= words.size())
      throw Error(ErrorKind::invalid, "argument " + positional.label + " is missing");
    if (positional.repeated) {
      std::get<std::vector<std::string>*>(positional.target)
          ->assign(words.begin() + static_cast<std::ptrdiff_t>(next), words.end());
      next = words.size();
    } else if (next < words.size()) {
      *std::get<std::string*>(positional.target) = words[next++];
    }
  }
  if (next < words.size()) throw Error(ErrorKind::invalid, "unexpected argument '" + words[next] + "'");
}

}  // namespace gantry::cli
