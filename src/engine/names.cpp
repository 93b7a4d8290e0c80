#include "names.h"

#include <iterator>
#include <random>
#include <string_view>

namespace gantry::engine {
namespace {

constexpr std::string_view kAdjectives[] = {
    "amber",   "ample",  "balmy",   "bold",   "brave",  "breezy", "bright", "brisk",   "bronze",   "calm",   "candid",
    "cheery",  "clear",  "clever",  "cobalt", "copper", "cosy",   "crisp",  "curious", "dapper",   "daring", "deft",
    "eager",   "early",  "earnest", "even",   "fabled", "fair",   "fleet",  "fresh",   "gentle",   "gilded", "glad",
    "golden",  "grand",  "hardy",   "hazel",  "honest", "humble", "ivory",  "jade",    "jolly",    "keen",   "kind",
    "lively",  "lucid",  "lucky",   "mellow", "merry",  "mild",   "mossy",  "neat",    "nimble",   "noble",  "opal",
    "patient", "placid", "plucky",  "polar",  "proud",  "quick",  "quiet",  "rapid",   "ready",    "robust", "rosy",
    "rustic",  "sandy",  "serene",  "sharp",  "silent", "silver", "sleek",  "snug",    "solid",    "spry",   "steady",
    "stout",   "sturdy", "subtle",  "sunny",  "sure",   "swift",  "tawny",  "tidy",    "tranquil", "upbeat", "velvet",
    "vivid",   "warm",   "wise",    "witty",  "zesty"};

constexpr std::string_view kNouns[] = {
    "anchor",  "anvil",  "apple",  "arch",   "badger",  "barge",   "beacon",   "birch",   "bison",   "boulder",
    "bridge",  "brook",  "canal",  "canyon", "cedar",   "cliff",   "clover",   "comet",   "condor",  "coral",
    "crane",   "creek",  "delta",  "dock",   "dune",    "ember",   "falcon",   "fern",    "finch",   "fjord",
    "forge",   "galley", "gantry", "garnet", "geyser",  "glade",   "grove",    "gull",    "harbor",  "haven",
    "heron",   "hill",   "hoist",  "island", "jetty",   "juniper", "kayak",    "keel",    "kestrel", "lagoon",
    "lantern", "larch",  "ledge",  "lever",  "lynx",    "maple",   "marina",   "meadow",  "mesa",    "mill",
    "moor",    "oak",    "otter",  "pier",   "pine",    "plover",  "pulley",   "quarry",  "quay",    "rapids",
    "raven",   "reef",   "ridge",  "river",  "rudder",  "sail",    "schooner", "sextant", "shore",   "sloop",
    "spruce",  "summit", "swan",   "tern",   "thistle", "tide",    "timber",   "valley",  "vessel",  "walnut",
    "wharf",   "willow", "winch",  "wren",   "zephyr"};

}  // namespace

std::string generate_name(const std::function<bool(const std::string&)>& taken) {
  static std::minstd_rand random{std::random_device{}()};
  auto pick = [](const auto& words) {
    return std::string(words[std::uniform_int_distribution<std::size_t>(0, std::size(words) - 1)(random)]);
  };
  for (unsigned attempt = 0;; ++attempt) {
    std::string name = pick(kAdjectives) + "_" + pick(kNouns);
    if (attempt >= 5) name += std::to_string(random() % (10u << attempt % 20));
    if (!taken(name)) return name;
  }
}

}  // namespace gantry::engine
