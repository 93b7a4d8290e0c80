#include "manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gantry/base/error.h"
#include "gantry/oci/digest.h"

namespace gantry::registry {
namespace {

using ::testing::HasSubstr;

const std::string kSome = oci::Digest::of("x").str();

std::string manifest(const std::string& config_type, const std::string& layer_type, const std::string& size = "1") {
  return R"({"schemaVersion":2,"config":{"mediaType":")" + config_type + R"(","size":2,"digest":")" + kSome +
         R"("},"layers":[{"mediaType":")" + layer_type + R"(","size":)" + size + R"(,"digest":")" + kSome + R"("}]})";
}

ErrorKind refused(const std::string& text) {
  try {
    parse_manifest(text);
  } catch (const Error& error) {
    return error.kind();
  }
  ADD_FAILURE() << "taken: " << text;
  return ErrorKind::internal;
}

TEST(Manifest, ItsKindIsToldByTypeOrShape) {
  EXPECT_EQ(kind_of_manifest("{}", "application/vnd.oci.image.index.v1+json; charset=utf-8"), ManifestKind::index);
  EXPECT_EQ(kind_of_manifest("{}", kDockerManifest), ManifestKind::manifest);
  EXPECT_EQ(kind_of_manifest(R"({"mediaType":")" + std::string(kDockerList) + "\"}", kOciManifest),
            ManifestKind::index);
  EXPECT_EQ(kind_of_manifest(R"({"manifests":[]})", "application/json"), ManifestKind::index);
  EXPECT_EQ(kind_of_manifest(R"({"layers":[]})", ""), ManifestKind::manifest);
  EXPECT_THROW(kind_of_manifest("{}", ""), Error);
  EXPECT_THROW(kind_of_manifest("[]", kOciIndex), Error);
  EXPECT_THROW(kind_of_manifest(R"({"schemaVersion":1})", ""), Error);
}

TEST(Manifest, OnlyImagesAreTaken) {
  auto gzip = "application/vnd.oci.image.layer.v1.tar+gzip";
  EXPECT_EQ(parse_manifest(manifest(kOciConfig, gzip)).layers.size(), 1u);
  EXPECT_EQ(parse_manifest(manifest(kDockerConfig, "application/vnd.docker.image.rootfs.diff.tar.gzip")).layers.size(),
            1u);
  EXPECT_EQ(refused(manifest("application/vnd.oci.empty.v1+json", gzip)), ErrorKind::unsupported);
  EXPECT_EQ(refused(manifest(kOciConfig, "application/vnd.oci.image.layer.v1.tar+gzip+encrypted")),
            ErrorKind::unsupported);
  EXPECT_EQ(refused(manifest(kOciConfig, gzip, "9999999999999")), ErrorKind::invalid);
  EXPECT_EQ(refused(manifest(kOciConfig, gzip, "-1")), ErrorKind::invalid);
  auto wrong = manifest(kOciConfig, gzip);
  wrong.replace(wrong.rfind("sha256:"), 7, "sha512:");
  EXPECT_EQ(refused(wrong), ErrorKind::invalid);
}

TEST(Index, TheBestEntryIsChosen) {
  auto entry = [](const std::string& platform, char digit, const std::string& more = "") {
    return R"({"size":1,"digest":"sha256:)" + std::string(64, digit) + "\"" +
           (platform.empty() ? "" : ",\"platform\":" + platform) + more + "}";
  };
  auto text = R"({"manifests":[)" +
              entry(R"({"os":"linux","architecture":"amd64"})", '0',
                    R"(,"annotations":{"vnd.docker.reference.type":"attestation-manifest"})") +
              "," + entry(R"({"os":"linux","architecture":"arm","variant":"v6"})", '1') + "," +
              entry(R"({"os":"linux","architecture":"arm","variant":"v7"})", '2') + "," +
              entry(R"({"os":"unknown","architecture":"unknown"})", '3') + "]}";
  auto index = parse_index(text);
  auto digit = [&](const char* wanted) { return choose(index, Platform::parse(wanted)).digest.back(); };
  EXPECT_EQ(digit("linux/arm/v7"), '2');
  EXPECT_EQ(digit("linux/arm/v6"), '1');
  try {
    choose(index, Platform::parse("linux/amd64"));
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::not_found);
    EXPECT_THAT(error.fix(), HasSubstr("linux/arm/v6, linux/arm/v7"));
  }
  auto bare = parse_index(R"({"manifests":[)" + entry("", '4') + "]}");
  EXPECT_EQ(choose(bare, Platform::parse("linux/amd64")).digest.back(), '4');
}

}  // namespace
}  // namespace gantry::registry
