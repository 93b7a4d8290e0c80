#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "gantry/compose/compose.h"

namespace gantry::compose {

using Files = std::map<std::string, std::string>;

/// Options whose files live in memory, below /work unless their names are absolute.
inline LoadOptions in_memory(Files files) {
  LoadOptions options;
  options.current_directory = "/work/shop";
  options.read_file = [files = std::move(files)](const std::filesystem::path& path) -> std::optional<std::string> {
    auto found = files.find(path.string());
    if (found == files.end()) found = files.find(path.lexically_relative("/work/shop").string());
    return found != files.end() ? std::optional(found->second) : std::nullopt;
  };
  return options;
}

inline LoadOptions one_file(std::string text) { return in_memory({{"compose.yaml", std::move(text)}}); }

inline Loaded load_text(std::string text) { return load(one_file(std::move(text))); }

/// Every finding as "file:line:column message", one a line; the message when there is none.
inline std::string errors_of(const LoadOptions& options) {
  try {
    load(options);
    return "no error";
  } catch (const Error& error) {
    std::string text;
    for (const auto& finding : error.findings())
      text += finding.place.file + ":" + std::to_string(finding.place.line) + ":" +
              std::to_string(finding.place.column) + " " + finding.message + "\n";
    return text.empty() ? error.message() : text.substr(0, text.size() - 1);
  }
}

inline std::string errors_of(std::string text) { return errors_of(one_file(std::move(text))); }

/// The service `web` of a file in which `keys` (indented by four) stand beside its image.
inline std::string web(const std::string& keys) { return "services:\n  web:\n    image: nginx\n" + keys; }
inline Service web_service(const std::string& keys, const std::string& rest = {}) {
  return load_text(web(keys) + rest).stack.services.at("web");
}

}  // namespace gantry::compose
