#pragma once

#include <filesystem>

#include "services.h"

namespace gantry::api {

/// An unpacked build context; its removal goes to the background, because it may be large.
class BuildContext {
 public:
  BuildContext(Services& services, std::filesystem::path path) : services_(services), path_(std::move(path)) {}
  BuildContext(const BuildContext&) = delete;
  BuildContext& operator=(const BuildContext&) = delete;
  ~BuildContext();
  const std::filesystem::path& path() const { return path_; }

 private:
  Services& services_;
  std::filesystem::path path_;
};

}  // namespace gantry::api
