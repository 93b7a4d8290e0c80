#pragma once

#include <optional>
#include <string>

#include "context.h"
#include "gantry/compose/compose.h"

namespace gantry::cli {

/// A step of a pull or push, as the daemon tells it.
ProgressItem transfer_item(const boost::json::value& step);

struct PullOptions {
  std::string reference;
  std::string policy = "always";  ///< always, missing, never
  std::optional<std::string> platform;
};

/// Pulls with the sign-in of the caller. Returns the daemon's answer: id, reference, digest, changed, received.
task<boost::json::value> pull_image(Context& context, PullOptions options, Progress& progress);

/// Throws Error (invalid) for anything but missing, always, never; `option` names where it was said.
std::string parse_pull_policy(const std::string& text, std::string_view option);

/// The images of services that have no `build`, by their pull_policy, or `policy` for all when it is not empty.
task<> pull_images(Context& context, compose::Stack stack, std::string policy, Progress& progress);

/// What the daemon says about an image that is not there; nullopt: it is there.
task<std::optional<Error>> missing_image(const http::Client& client, std::string reference);
task<bool> image_exists(const http::Client& client, std::string reference);
/// As `pull_image`; when it fails, `missed` and what to do about it are told as well.
task<> pull_missing(Context& context, PullOptions options, Error missed, Progress& progress);

}  // namespace gantry::cli
