#pragma once

#include <atomic>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "arrival.h"
#include "gantry/distribution/mirror.h"
#include "impl.h"
#include "mirror_rows.h"

namespace gantry::distribution {

/// What the parts of Mirror share.
struct Mirror::Impl {
  Impl(Distribution::Impl& local_in, std::vector<Proxy> proxies_in, MirrorOptions options_in);

  const Proxy& proxy(const Place& place) const { return proxies[place.proxy]; }
  /// "docker.io/library/debian:bookworm (from https://...)", for messages.
  std::string shown(const Place& place, const std::string& reference) const;

  // manifests, in mirror.cpp
  Served by_digest(const Place& place, const std::string& digest);
  Served by_tag(const Place& place, const std::string& tag);
  Manifest ask_tag(const Place& place, const std::string& tag, bool known);
  Manifest keep(const Place& place, const std::string& tag, const Upstream::Document& document);
  std::optional<Manifest> stored(const Place& place, const std::string& digest);
  /// Whether to leave the upstream alone: it did not answer a moment ago.
  bool is_down(const Place& place);
  void set_down(const Place& place, bool down);

  // blobs, in mirror_blobs.cpp
  std::optional<std::uint64_t> known_size(const Place& place, const std::string& digest);
  bool take_from_sibling(const Place& place, const std::string& digest);
  std::shared_ptr<Arrival::Reader> join(const Place& place, const oci::Digest& digest);
  void fetch(const Place& place, const oci::Digest& digest, const std::shared_ptr<Arrival>& arrival,
             std::uint64_t size);
  void publish(const Place& place, const oci::Digest& digest, Arrival& arrival, std::uint64_t size);
  void reap();

  // budget, in mirror_budget.cpp
  bool is_needed_by_engine(const std::string& repository, const std::string& digest);
  std::uint64_t remove(const rows::MirroredManifest& manifest);

  Distribution::Impl& local;
  const std::vector<Proxy> proxies;
  const MirrorOptions options;
  const std::filesystem::path directory;  ///< of blobs that are on their way
  std::function<void()> grown;

  std::mutex mutex;  ///< of what follows; never held while anything is asked, received or written
  bool stopping = false;
  std::map<std::size_t, std::chrono::steady_clock::time_point> down_until;
  /// One at a time asks for the same manifest.
  std::map<std::string, std::weak_ptr<std::mutex>> turns;
  std::shared_ptr<std::mutex> turn(const Place& place, const std::string& reference);
  std::map<std::pair<std::string, std::string>, std::shared_ptr<Arrival>> arriving;  ///< by repository and digest
  struct Thread {
    std::thread thread;
    std::atomic<bool> done = false;
  };
  std::list<Thread> threads;
};

/// What an upstream's Error means for our clients.
RegistryError as_answer(const Error& error, Code unknown, const std::string& what);

}  // namespace gantry::distribution
