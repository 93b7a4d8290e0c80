#include "exit_file.h"

#include "gantry/base/files.h"
#include "gantry/base/json.h"
#include "gantry/base/log.h"

namespace gantry::runtime {
namespace {

struct ExitJson {
  int code = 0;
  bool signaled = false;
  bool oom_killed = false;
  std::int64_t time = 0;  ///< nanoseconds since 1970
};
BOOST_DESCRIBE_STRUCT(ExitJson, (), (code, signaled, oom_killed, time))

}  // namespace

std::optional<ExitRecord> read_exit_file(const std::filesystem::path& state_dir) {
  auto text = read_file_if_exists(state_dir / "exit.json");
  if (!text) return std::nullopt;
  try {
    auto read = json::from_text<ExitJson>(*text, (state_dir / "exit.json").string());
    return ExitRecord{.status = {.code = read.code, .signaled = read.signaled, .oom_killed = read.oom_killed},
                      .time = Timestamp(Duration(read.time))};
  } catch (const Error& error) {
    log::warn("exit record ignored: {}", error.message());
    return std::nullopt;
  }
}

void keep_exit_file(const std::filesystem::path& state_dir, const ExitRecord& record) try {
  ExitJson out{record.status.code, record.status.signaled, record.status.oom_killed,
               record.time.time_since_epoch().count()};
  write_file_durably(state_dir / "exit.json", json::to_text(out) + "\n");
} catch (const Error& error) {
  log::warn("exit record not kept: {}", error.message());
}

}  // namespace gantry::runtime
