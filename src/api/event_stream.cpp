#include "event_stream.h"

namespace gantry::api {

task<> until_then(Timestamp moment, task<> stream) {
  auto present = now();
  auto left = moment > present ? moment - present : Duration(0);  // both ends of time at once would overflow
  try {
    co_await with_timeout<void>("events", left, std::move(stream));
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::timeout) throw;
  }
}

}  // namespace gantry::api
