#pragma once

#include <filesystem>
#include <string>

#include "dockerfile/git_source.h"
#include "gantry/base/async.h"

/// Working trees of remote Git repositories, made by the program `git`: without hooks, local repositories, helpers for
/// credentials, prompts, or the settings of the machine and the user.
namespace gantry::build {

struct GitTree {
  std::filesystem::path root;  ///< what the source names: a directory or a file
  std::string commit;
};

/// Into the new directory `into`, submodules too; all files as old as the commit. `.git` stays when `keep` says so and
/// no directory is named. `agent`: the socket of an SSH agent for ssh addresses; may be empty. Error unsupported: there
/// is no git (fix names the package); not_found: no such reference or directory; unavailable: git could not fetch it.
task<GitTree> checkout_git(GitSource source, std::filesystem::path into, bool keep, std::filesystem::path agent = {});

}  // namespace gantry::build
