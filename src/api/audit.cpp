#include "gantry/api/audit.h"

#include "gantry/base/json.h"
#include "gantry/base/log.h"

namespace gantry::api {

void LogAudit::record(const AuditRecord& record, bool changes) noexcept {
  try {
    if (changes || record.outcome != "ok") {
      log::info("audit {}", json::to_text(record));
    } else {
      log::debug("audit {}", json::to_text(record));
    }
  } catch (...) {
    log::write(log::Level::error, "audit: a record was lost: out of memory");
  }
}

}  // namespace gantry::api
