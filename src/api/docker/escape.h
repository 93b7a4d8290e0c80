#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace gantry::api::docker {

/// Watches what a client types for its detach keys. Bytes that may begin the sequence are held back until it is clear
/// that they do not.
class DetachKeys {
 public:
  /// "ctrl-p,ctrl-q" (the default for ""), "a", "ctrl-[,b": Error (invalid) for anything else.
  explicit DetachKeys(const std::string& keys);
  /// What of `typed` (and of what was held back) goes on to the program; nullopt once the sequence is complete.
  std::optional<std::string> pass(std::string_view typed);

 private:
  std::string sequence_;
  std::string held_;
};

/// For AttachOptions::typed.
inline std::function<std::optional<std::string>(std::string_view)> detached_by(DetachKeys keys) {
  return [keys = std::make_shared<DetachKeys>(std::move(keys))](std::string_view typed) { return keys->pass(typed); };
}

}  // namespace gantry::api::docker
