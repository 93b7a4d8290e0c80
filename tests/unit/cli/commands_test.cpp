#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "command.h"
#include "completion.h"
#include "gantry/base/error.h"
#include "gantry/base/files.h"
#include "help.h"

namespace gantry::cli {
namespace {

using testing::HasSubstr;

template <class F>
void for_each_command(F visit) {
  for (const auto& group : command_groups())
    for (const auto& command : group.commands) {
      SCOPED_TRACE(std::string(command.name));
      visit(command);
    }
}

TEST(Commands, EachDeclaresOptionsThatDoNotClash) {
  for_each_command([](const Command& command) {
    GlobalFlags flags;
    auto prepared = command.prepare();
    declare_global(prepared.options, flags);
    auto names = prepared.options.all_names();
    EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
  });
}

TEST(Commands, EachHasASummaryAndExamples) {
  for_each_command([](const Command& command) {
    EXPECT_FALSE(command.summary.empty());
    EXPECT_FALSE(command.summary.ends_with('.'));
    ASSERT_FALSE(command.examples.empty());
    auto help = help_for({std::string(command.name)});
    EXPECT_THAT(help, HasSubstr("Usage: gantry " + std::string(command.name)));
    EXPECT_THAT(help, HasSubstr("Examples:"));
  });
}

TEST(Commands, WhatTheProductPromisesIsThere) {
  for (auto name : {"up",
                    "down",
                    "ps",
                    "logs",
                    "exec",
                    "run",
                    "build",
                    "image ls",
                    "image rm",
                    "image import",
                    "image inspect",
                    "image bootstrap",
                    "image history",
                    "image save",
                    "image load",
                    "image prune",
                    "stop",
                    "start",
                    "restart",
                    "rm",
                    "inspect",
                    "events",
                    "version",
                    "doctor",
                    "kill",
                    "wait",
                    "stack ls",
                    "network ls",
                    "network create",
                    "volume ls",
                    "config",
                    "completion",
                    "images",
                    "rmi"})
    EXPECT_NE(find_command(name), nullptr) << name;
  EXPECT_TRUE(is_command_family("image"));
  EXPECT_FALSE(is_command_family("ps"));
  EXPECT_FALSE(is_command_family(""));
}

TEST(Commands, AnUnknownOneNamesTheNearest) {
  try {
    help_for({"buidl"});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.fix(), "did you mean 'gantry build'?");
  }
}

// The packaged files are made by the program; this fails when they were not made again after a change
// (docs/cli.md says how).
TEST(Packaging, FilesFitTheProgram) {
  std::filesystem::path packaging(GANTRY_PACKAGING);
  EXPECT_EQ(read_file(packaging / "completions/gantry.bash"), completion_script("bash"));
  EXPECT_EQ(read_file(packaging / "completions/_gantry"), completion_script("zsh"));
  EXPECT_EQ(read_file(packaging / "completions/gantry.fish"), completion_script("fish"));
  EXPECT_EQ(read_file(packaging / "gantry.1"), manual_page());
}

}  // namespace
}  // namespace gantry::cli
