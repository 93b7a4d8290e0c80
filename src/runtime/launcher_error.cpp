#include "launcher_error.h"

#include <sstream>

#include "gantry/base/files.h"
#include "gantry/base/json.h"

namespace gantry::runtime {
namespace {

struct Meaning {
  std::string_view contains;
  std::string_view and_contains;
  ErrorKind kind;
  std::string_view message;
  std::string_view fix;
};

// crun's texts, first match wins.
constexpr Meaning kMeanings[] = {
    {"executable file", "not found", ErrorKind::not_found, "no such command in the image",
     "check the command's spelling, and that the image contains it"},
    {"exec", "No such file or directory", ErrorKind::not_found, "no such command in the image",
     "check the command's spelling, and that the image contains it (for a script: also the interpreter in its first "
     "line)"},
    {"stat `", "No such file or directory", ErrorKind::not_found, "no such command in the image",
     "check the command's spelling, and that the image contains it"},
    {"open executable", "Permission denied", ErrorKind::invalid, "the command is not executable",
     "set its execute permission in the image (chmod +x)"},
    {"exec", "Permission denied", ErrorKind::invalid, "the command is not executable",
     "set its execute permission in the image (chmod +x)"},
    {"exec", "Exec format error", ErrorKind::invalid, "the command is not a program for this machine",
     "check the image's architecture, and the first line of a script"},
    {"chdir", "No such file", ErrorKind::invalid, "the working directory is not in the image",
     "create it in the image"},
};

// What crun quotes in backquotes first is the thing it is about.
std::string object_of(const std::string& message) {
  auto start = message.find('`');
  auto end = start == std::string::npos ? start : message.find('`', start + 1);
  return end == std::string::npos ? std::string() : message.substr(start + 1, end - start - 1);
}

std::string last_error_in(const std::filesystem::path& log) {
  std::istringstream lines(read_file_if_exists(log).value_or(""));
  std::string last;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty()) continue;
    auto message = line;
    try {
      message = json::parse(line, log.string()).as_object().at("msg").as_string().c_str();
    } catch (const std::exception&) {
      // Not every line is an entry.
    }
    // What crun says when its child has said why already.
    if (message != "fail startup" || last.empty()) last = std::move(message);
  }
  return last;
}

}  // namespace

Error launcher_error(const std::string& message) {
  for (const auto& meaning : kMeanings) {
    if (message.find(meaning.contains) == std::string::npos) continue;
    if (message.find(meaning.and_contains) == std::string::npos) continue;
    auto object = object_of(message);
    return Error(meaning.kind, (object.empty() ? "" : object + ": ") + std::string(meaning.message),
                 std::string(meaning.fix));
  }
  return Error(ErrorKind::invalid, "the OCI runtime refused the container: " + message);
}

Error shim_error(const std::string& payload, const std::filesystem::path& directory) {
  std::istringstream lines(payload);
  std::string kind, message, fix;
  std::getline(lines, kind);
  std::getline(lines, message);
  std::getline(lines, fix);
  if (kind != "launcher") return Error(error_kind_from(kind).value_or(ErrorKind::internal), message, fix);
  auto said = last_error_in(directory / "crun.log");
  if (said.empty()) return Error(ErrorKind::internal, "the OCI runtime failed without a message");
  return launcher_error(said);
}

}  // namespace gantry::runtime
