#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gantry/base/time.h"
#include "gantry/compose/compose.h"
#include "gantry/platform/stack_manager.h"
#include "gantry/store/store.h"

namespace gantry::platform {

/// What is wanted of a stack, as last committed. `applied` < `release`, or wanted down with the row still there, means
/// that an operation was interrupted and has to be finished.
struct StackRow {
  std::string name;
  bool wanted_up = true;
  std::int64_t release = 0;
  std::int64_t applied = 0;
  DownOptions down;
  Timestamp updated{};
};

/// Stacks and their releases in the store. A release is immutable: the resolved stack as it was asked for.
class ReleaseStore {
 public:
  explicit ReleaseStore(store::Database& database) : database_(database) {}

  /// The release is new only when the document differs from the stack's newest one.
  StackRow record_up(const compose::Stack& stack);
  void record_applied(const std::string& stack, std::int64_t release);
  void record_down(const std::string& stack, const DownOptions& options);
  /// Nothing is wanted of the stack any more. Its releases stay: they are history.
  void forget(const std::string& stack);

  std::optional<StackRow> find(const std::string& stack) const;
  std::vector<StackRow> list() const;
  /// The stack as of a release.
  std::optional<compose::Stack> document(std::int64_t release) const;

 private:
  store::Database& database_;
};

}  // namespace gantry::platform
