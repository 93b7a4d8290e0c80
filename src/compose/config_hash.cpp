#include <sha2.h>

#include <array>

#include "gantry/base/json.h"
#include "gantry/compose/compose.h"

namespace gantry::compose {

namespace {

/// Drops what equals the default, so that a member added in a later version does not change the hash of services that
/// do not use it.
boost::json::value without_defaults(const boost::json::value& value, const boost::json::value& defaults) {
  if (!value.is_object() || !defaults.is_object()) return value;
  boost::json::object out;
  for (const auto& [key, member] : value.get_object()) {
    const auto* usual = defaults.get_object().if_contains(key);
    if (usual == nullptr) {
      out.emplace(key, member);
    } else if (member != *usual) {
      out.emplace(key, without_defaults(member, *usual));
    }
  }
  return out;
}

template <class T>
std::string digest(const T& object) {
  auto text = boost::json::serialize(without_defaults(json::to(object), json::to(T{})));
  std::array<char, SHA256_DIGEST_STRING_LENGTH> hex{};
  ::SHA256Data(reinterpret_cast<const std::uint8_t*>(text.data()), text.size(), hex.data());
  return hex.data();
}

}  // namespace

std::string config_hash(const Service& service) {
  auto counted = service;
  counted.build.reset();
  counted.pull_policy = {};
  counted.replicas = 1;
  counted.depends_on.clear();
  counted.profiles.clear();
  counted.attach = true;
  return digest(counted);
}

std::string config_hash(const Network& network) { return digest(network); }
std::string config_hash(const Volume& volume) { return digest(volume); }

}  // namespace gantry::compose
