#include <algorithm>
#include <cctype>
#include <charconv>

#include "dockerfile/dockerfile.h"
#include "dockerfile/instruction.h"
#include "dockerfile/suggest.h"
#include "gantry/base/text.h"

namespace gantry::build {

namespace {

bool is_stage_name(std::string_view name) {
  auto allowed = [](unsigned char c) {
    return std::islower(c) != 0 || std::isdigit(c) != 0 || c == '-' || c == '_' || c == '.';
  };
  return !name.empty() && std::islower(static_cast<unsigned char>(name[0])) != 0 &&
         std::all_of(name.begin(), name.end(), allowed);
}

std::optional<std::size_t> number_in(std::string_view text) {
  std::size_t value = 0;
  auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

class FileParser {
 public:
  FileParser(std::string_view text, const std::string& file)
      : file_(file), source_(read_source(text, file, findings_)) {}

  Dockerfile run() {
    out_.escape = source_.escape;
    if (auto syntax = source_.directives.find("syntax"); syntax != source_.directives.end())
      out_.notes.push_back("directive syntax=" + syntax->second + " has no effect: Gantry reads Dockerfiles itself");
    for (const auto& line : source_.lines) add(line);
    for (std::size_t i = 0; i < out_.stages.size(); ++i) check_references(i);
    if (out_.stages.empty() && findings_.empty()) report_no_stage();
    if (!findings_.empty()) refuse();
    return std::move(out_);
  }

 private:
  void add(const LogicalLine& line) {
    auto instruction = parse_instruction(line, source_.escape, findings_);
    if (!instruction) {
      saw_from_ = saw_from_ || lower(line.text()).starts_with("from");
    } else if (instruction->keyword == Keyword::from) {
      saw_from_ = true;
      add_stage(*instruction);
    } else if (!out_.stages.empty()) {
      out_.stages.back().instructions.push_back(std::move(*instruction));
    } else if (instruction->keyword == Keyword::arg) {
      out_.globals.push_back(std::move(*instruction));
    } else if (!saw_from_) {
      findings_.push_back({instruction->place,
                           std::string(name_of(instruction->keyword)) + " stands before the first FROM; only ARG may"});
    }
  }

  void add_stage(const Instruction& from) {
    Stage stage;
    stage.base = from.words[0];
    stage.place = from.place;
    stage.text = from.text;
    if (const auto* platform = from.flag("platform")) stage.platform = platform->value;
    if (from.words.size() == 3) name_stage(stage, from.words[2]);
    out_.stages.push_back(std::move(stage));
  }

  void name_stage(Stage& stage, const Word& word) {
    stage.name = lower(word.text);
    auto earlier = std::find_if(out_.stages.begin(), out_.stages.end(),
                                [&](const Stage& other) { return other.name == stage.name; });
    if (!is_stage_name(stage.name)) {
      findings_.push_back({word.place, "stage name \"" + word.text +
                                           "\" must start with a letter and hold letters, "
                                           "digits, \"-\", \"_\" and \".\" only"});
    } else if (earlier != out_.stages.end()) {
      findings_.push_back({word.place, "stage name \"" + word.text + "\" is taken by the stage in line " +
                                           std::to_string(earlier->place.line)});
    }
  }

  // A number or a name of this or a later stage cannot be meant as an image.
  void check_references(std::size_t index) {
    for (const auto& instruction : out_.stages[index].instructions) {
      const auto* from = instruction.flag("from");
      if (from == nullptr) continue;
      const auto& name = from->value.text;
      auto number = number_in(name);
      auto stage = out_.find_stage(name);
      if (number && *number >= out_.stages.size()) {
        findings_.push_back({from->value.place, "there is no stage " + name + "; stages count from 0"});
      } else if (stage && *stage >= index) {
        findings_.push_back({from->value.place, *stage == index ? "--from=" + name + " names the stage it stands in"
                                                                : "stage \"" + name + "\" comes later in the file"});
      }
    }
  }

  void report_no_stage() {
    findings_.push_back({{file_, 1, 1}, source_.lines.empty() ? "the file has no instruction" : "there is no FROM"});
  }

  [[noreturn]] void refuse() {
    std::stable_sort(findings_.begin(), findings_.end(), [](const Finding& a, const Finding& b) {
      return std::pair(a.place.line, a.place.column) < std::pair(b.place.line, b.place.column);
    });
    auto count = findings_.size();
    throw Error(ErrorKind::invalid, file_ + " has " + (count == 1 ? "a mistake" : std::to_string(count) + " mistakes"),
                std::move(findings_), "correct the places named");
  }

  std::string file_;
  std::vector<Finding> findings_;
  Source source_;
  Dockerfile out_;
  bool saw_from_ = false;
};

}  // namespace

std::optional<std::size_t> Dockerfile::find_stage(std::string_view name_or_number) const {
  if (auto number = number_in(name_or_number)) {
    if (*number < stages.size()) return number;
    return std::nullopt;
  }
  auto wanted = lower(name_or_number);
  for (std::size_t i = 0; i < stages.size(); ++i)
    if (!wanted.empty() && stages[i].name == wanted) return i;
  return std::nullopt;
}

Dockerfile parse_dockerfile(std::string_view text, const std::string& file) { return FileParser(text, file).run(); }

Instruction parse_trigger(std::string_view text, const std::string& origin) {
  std::vector<Finding> findings;
  auto source = read_source(text, origin, findings);
  std::optional<Instruction> instruction;
  if (source.lines.size() == 1) instruction = parse_instruction(source.lines[0], source.escape, findings);
  if (!instruction)
    throw Error(ErrorKind::invalid, "ONBUILD trigger \"" + std::string(text) + "\" of " + origin, std::move(findings));
  return std::move(*instruction);
}

}  // namespace gantry::build
