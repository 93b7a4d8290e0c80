#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace gantry::cli {

enum class Mark { active, done, failed };

/// One line of a display: what is worked on, and how far it is.
struct ProgressItem {
  std::string id;      ///< equal ids are one line: "container web-1"
  std::string status;  ///< "starting"
  std::string detail;
  std::uint64_t current = 0;
  std::uint64_t total = 0;  ///< 0: unknown
  Mark mark = Mark::active;
};

/// Shows what takes long on standard error. Terminal: lines that change in place, with the last output of what is
/// active below them. Otherwise one plain line for each change of status.
class Progress {
 public:
  virtual ~Progress() = default;
  virtual void update(const ProgressItem& item) = 0;
  /// Output that belongs to `id` (what a RUN step prints).
  virtual void output(const std::string& id, std::string_view text) = 0;
  /// The last state stays on the screen; output below it goes away. Called by the destructor too.
  virtual void finish() = 0;
};

/// For --quiet.
class NoProgress : public Progress {
 public:
  void update(const ProgressItem&) override {}
  void output(const std::string&, std::string_view) override {}
  void finish() override {}
};

enum class ProgressMode { automatic, plain, terminal, quiet, json };
/// Throws Error (invalid) for anything but auto, plain, tty, quiet, rawjson.
ProgressMode parse_progress_mode(std::string_view text);
std::unique_ptr<Progress> make_progress(ProgressMode mode, bool colours);

/// The pure parts.
struct Screen {
  std::size_t rows = 24;
  std::size_t columns = 80;
  bool colours = false;
};
/// At most rows - 1 lines, none wider than the screen; finished lines give way to active ones first.
std::vector<std::string> render(const std::vector<ProgressItem>& items, const std::vector<std::string>& tail,
                                const Screen& screen);
/// "web: starting", "layer: unpacking 12.0 MB/40.0 MB (30%)".
std::string plain_line(const ProgressItem& item);

}  // namespace gantry::cli
