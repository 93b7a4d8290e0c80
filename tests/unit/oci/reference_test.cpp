#include "gantry/oci/reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gantry/base/error.h"

namespace gantry::oci {
namespace {

const std::string kDigest = "sha256:" + std::string(64, 'a');

struct Good {
  std::string text;
  std::string canonical;
  std::string familiar;
};

TEST(Reference, AcceptsTheGrammar) {
  const std::vector<Good> table{
      {"debian", "docker.io/library/debian:latest", "debian:latest"},
      {"debian:bookworm", "docker.io/library/debian:bookworm", "debian:bookworm"},
      {"docker.io/debian:12", "docker.io/library/debian:12", "debian:12"},
      {"index.docker.io/library/debian:12", "docker.io/library/debian:12", "debian:12"},
      {"someone/app", "docker.io/someone/app:latest", "someone/app:latest"},
      {"library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"},
      {"localhost/app:1", "localhost/app:1", "localhost/app:1"},
      {"localhost:5000/app", "localhost:5000/app:latest", "localhost:5000/app:latest"},
      {"registry.example/a/b/c:v1.2-3_4", "registry.example/a/b/c:v1.2-3_4", "registry.example/a/b/c:v1.2-3_4"},
      {"Registry/app", "Registry/app:latest", "Registry/app:latest"},
      {"[::1]:5000/app:1", "[::1]:5000/app:1", "[::1]:5000/app:1"},
      {"a.b_c__d---e:T", "docker.io/library/a.b_c__d---e:T", "a.b_c__d---e:T"},
      {"app@" + kDigest, "docker.io/library/app@" + kDigest, "app@" + kDigest},
      {"app:1@" + kDigest, "docker.io/library/app:1@" + kDigest, "app:1@" + kDigest},
      {"app:" + std::string(128, 't'), "docker.io/library/app:" + std::string(128, 't'),
       "app:" + std::string(128, 't')},
  };
  for (const auto& row : table) {
    auto reference = Reference::parse(row.text);
    EXPECT_EQ(reference.canonical(), row.canonical) << row.text;
    EXPECT_EQ(reference.familiar(), row.familiar) << row.text;
    EXPECT_EQ(Reference::parse(row.familiar).canonical(), row.canonical) << row.text;
  }
}

TEST(Reference, RefusesEverythingElse) {
  const std::vector<std::string> table{"",
                                       ":",
                                       ":tag",
                                       "@",
                                       "/",
                                       "/app",
                                       "app/",
                                       "a//b",
                                       "App",
                                       "app:",
                                       "app:.tag",
                                       "app:-tag",
                                       "app:a b",
                                       "a b",
                                       "app:" + std::string(129, 't'),
                                       "-app",
                                       "app-",
                                       "a..b",
                                       "a___b",
                                       "a.-b",
                                       "app@sha256:abc",
                                       "app@md5:abc",
                                       "app@" + kDigest + "x",
                                       "host:port/app",
                                       "host:/app",
                                       "host-.x/app",
                                       "[::1/app",
                                       "[]:1/app",
                                       "../app",
                                       "./app",
                                       std::string(64, 'a'),
                                       std::string(300, 'a'),
                                       "app\n",
                                       std::string("a\0b", 3),
                                       "caf\xc3\xa9"};
  for (const auto& text : table) {
    EXPECT_THROW(Reference::parse(text), Error) << text;
  }
}

TEST(Reference, SaysWhatIsWrong) {
  try {
    Reference::parse("registry.example/My/App");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::invalid);
    EXPECT_THAT(error.message(), ::testing::HasSubstr("\"My\" has upper-case letters"));
  }
}

// A fixed seed: every run tries the same texts, made of the characters that mean something.
TEST(Reference, SurvivesAnyTextAndIsStable) {
  constexpr std::string_view kAlphabet = "aZ0.:/@-_[] \xff";
  std::uint64_t state = 1;
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (int length = round % 24; length > 0; --length) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      text += kAlphabet[(state >> 33) % kAlphabet.size()];
    }
    try {
      auto reference = Reference::parse(text);
      auto again = Reference::parse(reference.familiar());
      EXPECT_EQ(again.canonical(), reference.canonical()) << text;
      EXPECT_EQ(Reference::parse(reference.canonical()).canonical(), reference.canonical()) << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::invalid);
    }
  }
}

}  // namespace
}  // namespace gantry::oci
