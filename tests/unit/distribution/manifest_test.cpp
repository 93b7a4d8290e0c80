#include "manifest.h"

#include <gmock/gmock.h>

#include "fixture.h"

namespace gantry::distribution {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::string kA = "sha256:" + std::string(64, 'a');
const std::string kB = "sha256:" + std::string(64, 'b');

std::string entry(const std::string& digest, const std::string& more = "") {
  return R"({"mediaType":"x/y","size":1,"digest":")" + digest + "\"" + more + "}";
}
std::string image_text(const std::string& more = "") {
  return R"({"schemaVersion":2,"config":)" + entry(kA) + R"(,"layers":[)" + entry(kB) + "]" + more + "}";
}

std::string refusal_of_manifest(const std::string& text, const std::string& type = kImage) {
  try {
    parse_manifest(text, type);
  } catch (const RegistryError& error) {
    EXPECT_EQ(error.code(), Code::MANIFEST_INVALID);
    return error.message();
  }
  ADD_FAILURE() << "taken: " << text;
  return "";
}

TEST(Manifest, NamesWhatItNeeds) {
  auto parsed = parse_manifest(image_text(), kImage);
  EXPECT_THAT(parsed.blobs, ElementsAre(kA, kB));
  EXPECT_THAT(parsed.manifests, IsEmpty());
  EXPECT_FALSE(parsed.subject);
  EXPECT_EQ(parsed.artifact_type, "x/y") << "of the configuration, when it says none itself";
  auto list = parse_manifest(R"({"schemaVersion":2,"manifests":[)" + entry(kB) + "]}", kList);
  EXPECT_THAT(list.manifests, ElementsAre(kB));
  EXPECT_THAT(list.blobs, IsEmpty());
}

TEST(Manifest, SaysWhatItIsAbout) {
  auto parsed =
      parse_manifest(image_text(R"(,"artifactType":"a/b","annotations":{"k":"v"},"subject":)" + entry(kB)), kImage);
  EXPECT_EQ(parsed.subject, kB);
  EXPECT_EQ(parsed.artifact_type, "a/b");
  EXPECT_EQ(parsed.annotations, R"({"k":"v"})");
}

TEST(Manifest, LayersThatAreElsewhereAreNotNeededHere) {
  auto foreign = R"({"schemaVersion":2,"config":)" + entry(kA) + R"(,"layers":[)" +
                 entry(kB, R"(,"urls":["http://x.invalid/"])") + "]}";
  EXPECT_THAT(parse_manifest(foreign, kImage).blobs, ElementsAre(kA));
}

TEST(Manifest, ParametersOfTheContentTypeDoNotMatter) {
  EXPECT_EQ(parse_manifest(image_text(), std::string(kImage) + " ; charset=utf-8").media_type, kImage);
}

TEST(Manifest, WhatIsNoneIsRefusedWithWhatIsWrong) {
  EXPECT_THAT(refusal_of_manifest("nonsense"), HasSubstr("no JSON"));
  EXPECT_THAT(refusal_of_manifest("[]"), HasSubstr("no object"));
  EXPECT_THAT(refusal_of_manifest(R"({"schemaVersion":1})"), HasSubstr("schemaVersion 2"));
  EXPECT_THAT(refusal_of_manifest(image_text(), "text/plain"), HasSubstr("not known here"));
  EXPECT_THAT(refusal_of_manifest(image_text(), ""), HasSubstr("not known here"));
  EXPECT_THAT(refusal_of_manifest(image_text(R"(,"mediaType":")" + std::string(kList) + "\"")),
              HasSubstr("was sent as"));
  EXPECT_THAT(refusal_of_manifest(R"({"schemaVersion":2,"layers":[]})"), HasSubstr("no config"));
  EXPECT_THAT(refusal_of_manifest(R"({"schemaVersion":2,"config":)" + entry(kA) + "}"), HasSubstr("no layers"));
  EXPECT_THAT(refusal_of_manifest(R"({"schemaVersion":2,"config":7,"layers":[]})"), HasSubstr("no object"));
  EXPECT_THAT(refusal_of_manifest(R"({"schemaVersion":2,"manifests":{}})", kList), HasSubstr("no list"));
  EXPECT_THAT(refusal_of_manifest(image_text(R"(,"artifactType":7)")), HasSubstr("no text"));
  EXPECT_EQ(code_of([] { parse_manifest(image_text(R"(,"subject":)" + entry("sha256:x")), kImage); }),
            Code::DIGEST_INVALID);
  std::string many = R"({"schemaVersion":2,"manifests":[)";
  for (int i = 0; i <= 10'000; ++i) many += (i == 0 ? "" : ",") + entry(kA);
  EXPECT_THAT(refusal_of_manifest(many + "]}", kList), HasSubstr("more than 10000"));
}

}  // namespace
}  // namespace gantry::distribution
