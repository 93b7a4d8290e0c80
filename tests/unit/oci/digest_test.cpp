#include "gantry/oci/digest.h"

#include <gtest/gtest.h>

#include "gantry/base/error.h"

namespace gantry::oci {
namespace {

// FIPS 180-2, appendix B.1 and the empty message.
constexpr char kOfAbc[] = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr char kOfNothing[] = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

TEST(Digest, MatchesTheStandard) {
  EXPECT_EQ(Digest::of("abc").str(), kOfAbc);
  EXPECT_EQ(Digest::of("").str(), kOfNothing);
  Hasher hasher;
  hasher.update("a");
  hasher.update("");
  hasher.update("bc");
  EXPECT_EQ(hasher.finish(), Digest::parse(kOfAbc));
}

TEST(Digest, AcceptsOnlySha256InLowerCase) {
  EXPECT_EQ(Digest::parse(kOfAbc).hex(), std::string(kOfAbc).substr(7));
  auto text = std::string(kOfAbc);
  for (const std::string& bad : std::vector<std::string>{"", text.substr(7), text + "0", text.substr(0, 70),
                                                         "sha512:" + text.substr(7), "sha256:" + std::string(64, 'A'),
                                                         "sha256:" + std::string(63, 'a') + "/", "sha256:../../x"})
    EXPECT_THROW(Digest::parse(bad), Error) << bad;
}

}  // namespace
}  // namespace gantry::oci
