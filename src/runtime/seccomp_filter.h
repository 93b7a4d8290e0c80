#pragma once

#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "gantry/oci/runtime_spec.h"

namespace gantry::runtime {

/// The profile as a program for seccomp(2): an array of struct sock_filter. Names this libseccomp does not know are
/// left out, as the OCI runtimes do.
std::string compile_filter(const oci::runtime::Seccomp& profile);

/// The same as libseccomp makes it.
std::string compile_with_library(const oci::runtime::Seccomp& profile);

/// Compiled filters as files `<directory>/<hash of the profile>`, each compiled once. Blocking; from any thread.
class FilterStore {
 public:
  explicit FilterStore(std::filesystem::path directory) : directory_(std::move(directory)) {}
  std::filesystem::path file_of(const oci::runtime::Seccomp& profile) const;
  /// Of the default profile for these capabilities, remembered.
  std::filesystem::path default_for(const std::vector<std::string>& capabilities);

 private:
  std::filesystem::path directory_;
  std::mutex mutex_;
  std::map<std::vector<std::string>, std::filesystem::path> defaults_;
};

}  // namespace gantry::runtime
