#pragma once

#include <boost/describe.hpp>

#include <filesystem>
#include <optional>
#include <string>

namespace gantry::cli {

/// build::Checkout, as the API takes it: which commit a directory is.
struct GitFacts {
  std::string repository;
  std::string revision;
  std::string path;
  bool dirty = false;
};
BOOST_DESCRIBE_STRUCT(GitFacts, (), (repository, revision, path, dirty))

/// nullopt: the directory is in no repository, has no commit, or there is no git here. Blocks for some milliseconds.
std::optional<GitFacts> git_facts(const std::filesystem::path& directory);

}  // namespace gantry::cli
