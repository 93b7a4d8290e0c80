#include <gtest/gtest.h>

#include "docker/websocket.h"

namespace gantry::api::docker {
namespace {

TEST(DockerWebSocket, TheAcceptanceOfTheStandard) {
  // RFC 6455, 1.3
  EXPECT_EQ(websocket_accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

}  // namespace
}  // namespace gantry::api::docker
