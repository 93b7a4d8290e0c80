#include "dockerfile/git_source.h"

#include <gtest/gtest.h>

#include "gantry/base/error.h"
#include "gantry/base/without_credentials.h"

namespace gantry::build {
namespace {

TEST(GitSource, AddressReferenceAndDirectory) {
  auto source = parse_git_source("https://host/team/app.git#v1.2:./docs//api/").value();
  EXPECT_EQ(source.url, "https://host/team/app.git");
  EXPECT_EQ(source.reference, "v1.2");
  EXPECT_EQ(source.directory, "docs/api");
  EXPECT_EQ(parse_git_source("git@host:app.git").value().reference, "");
  EXPECT_EQ(parse_git_source("ssh://git@host/app#:sub").value().directory, "sub");
}

TEST(GitSource, OtherAddressesAreNone) {
  for (const char* text : {"https://host/file.tar.gz", "a.git", "file:///srv/app.git", "ext::sh -c true", "-u.git"})
    EXPECT_FALSE(parse_git_source(text)) << text;
}

TEST(GitSource, NothingThatGitTakesForSomethingElse) {
  for (const char* text :
       {"https://h/a.git#--upload-pack=x", "https://h/a.git#+a", "https://h/a.git#a b", "https://h/a.git#a..b",
        "https://h/a.git#:../x", "https://h/a.git#:.git/hooks", "git://h/a b.git"})
    EXPECT_THROW(parse_git_source(text), Error) << text;
}

TEST(GitSource, CredentialsAreTakenOff) {
  EXPECT_EQ(without_credentials("https://user:p@ss@host/a.git"), "https://host/a.git");
  EXPECT_EQ(without_credentials("https://host/a@b.git"), "https://host/a@b.git");
  EXPECT_EQ(without_credentials("git@host:a.git"), "git@host:a.git");
}

}  // namespace
}  // namespace gantry::build
