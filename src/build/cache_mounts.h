#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dockerfile/mount_flag.h"
#include "gantry/base/async.h"

namespace gantry::build {

/// The directories behind RUN --mount=type=cache, one for each id: `<root>/<digest of the id>[-n]`. They stay from
/// build to build and are no part of any image; losing one costs time only. Control thread, but for the members that
/// say so.
class CacheMounts {
 public:
  explicit CacheMounts(std::filesystem::path root);

  /// A directory for as long as this lives.
  class Use {
   public:
    Use(CacheMounts& owner, std::string name, bool locked) : owner_(owner), name_(std::move(name)), locked_(locked) {}
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    ~Use();
    std::filesystem::path path() const { return owner_.root_ / name_; }

   private:
    CacheMounts& owner_;
    std::string name_;
    bool locked_;
  };

  /// `locked` waits until nobody else has it locked; `private_` takes another directory when somebody uses it. The
  /// directory may not be there yet. Must not outlive this.
  task<std::shared_ptr<Use>> take(std::string id, Sharing sharing);
  /// Takes a directory away from the builds to come, so that it can be removed, and returns its new name; nullopt when
  /// a build has it now, or it is gone.
  std::optional<std::string> set_aside(const std::string& name);

  struct Kept {
    std::string name;
    std::uint64_t bytes = 0;
    std::int64_t used = 0;  ///< last, in seconds since 1970
  };
  /// Any thread; blocking.
  std::vector<Kept> list() const;
  /// Any thread; blocking. Of what was set aside; returns the bytes given back.
  std::uint64_t remove(const std::string& name) const;
  /// Any thread; blocking. Bytes on disk.
  std::uint64_t size() const;

 private:
  struct State {
    int users = 0;
    bool locked = false;
    std::vector<std::shared_ptr<Event>> waiting;
  };
  std::filesystem::path root_;
  std::map<std::string, State> states_;
};

}  // namespace gantry::build
