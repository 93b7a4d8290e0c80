#pragma once

#include <boost/describe.hpp>

#include <string>

#include "gantry/base/time.h"

namespace gantry::api {

/// One request as it is remembered.
struct AuditRecord {
  std::string principal;
  std::int64_t uid = 0;
  std::int64_t pid = 0;
  std::string action;
  std::string project;
  std::string object;
  std::string outcome;  ///< ok, or the kind of the error; "denied" never reached the handler
  std::string reason;   ///< the error's message
  Duration duration{};
};
BOOST_DESCRIBE_STRUCT(AuditRecord, (), (principal, uid, pid, action, project, object, outcome, reason, duration))

class AuditLog {
 public:
  virtual ~AuditLog() = default;
  /// Called once a request, at its end. Must not throw. `changes` is false for what only reads.
  virtual void record(const AuditRecord& record, bool changes) noexcept = 0;
};

/// One line "audit {json}" in the daemon's log: changes and refusals as info, successful reading as debug.
class LogAudit : public AuditLog {
 public:
  void record(const AuditRecord& record, bool changes) noexcept override;
};

}  // namespace gantry::api
