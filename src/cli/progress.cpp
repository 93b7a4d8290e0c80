#include "progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <deque>
#include <map>

#include "console.h"
#include "gantry/base/error.h"
#include "gantry/base/time.h"
#include "terminal.h"
#include "text.h"

namespace gantry::cli {
namespace {

constexpr std::size_t kTailLines = 6;
constexpr std::chrono::milliseconds kFrame{60};

std::string amount(const ProgressItem& item) {
  if (item.total == 0) return item.current == 0 ? "" : " " + human_bytes(item.current);
  auto percent = std::min<std::uint64_t>(100, item.current * 100 / item.total);
  return fmt::format(" {}/{} ({}%)", human_bytes(item.current), human_bytes(item.total), percent);
}

std::string symbol(Mark mark, bool colours) {
  constexpr std::string_view kSymbols[]{"…", "✔", "✘"};
  constexpr Colour kColours[]{Colour::yellow, Colour::green, Colour::red};
  auto index = static_cast<std::size_t>(mark);
  return colours ? painted(kColours[index], kSymbols[index]) : std::string(kSymbols[index]);
}

std::string line_of(const ProgressItem& item, std::size_t id_width, bool colours) {
  std::string line = " " + symbol(item.mark, colours) + " " + one_line(item.id);
  if (!item.status.empty()) {
    line.append(id_width - std::min(id_width, display_width(item.id)) + 2, ' ');
    line += item.status + amount(item);
  }
  if (!item.detail.empty()) line += "  " + one_line(item.detail);
  return line;
}

/// The items to show when there are more than lines: the active and failed ones first, then the latest; in order.
std::vector<const ProgressItem*> choose(const std::vector<ProgressItem>& items, std::size_t limit) {
  std::vector<const ProgressItem*> chosen;
  for (const auto& item : items) chosen.push_back(&item);
  while (chosen.size() > limit) {
    auto done = std::ranges::find_if(chosen, [](const auto* item) { return item->mark == Mark::done; });
    chosen.erase(done == chosen.end() ? chosen.begin() : done);
  }
  return chosen;
}

class PlainProgress : public Progress {
 public:
  void update(const ProgressItem& item) override {
    auto key = item.status + "\n" + item.detail + "\n" + std::to_string(static_cast<int>(item.mark));
    auto& shown = shown_[item.id];
    if (shown == key) return;
    shown = key;
    auto quiet = item;
    quiet.current = quiet.total = 0;  // amounts change all the time; a plain log says what changed
    write_stream(STDERR_FILENO, plain_line(quiet) + "\n");
    last_ = item.id;
  }

  void output(const std::string& id, std::string_view text) override {
    auto& pending = pending_[id];
    pending += text;
    if (pending.find('\n') != std::string::npos) head(id);
    for (std::size_t end; (end = pending.find('\n')) != std::string::npos; pending.erase(0, end + 1))
      write_stream(STDERR_FILENO, "  | " + pending.substr(0, end) + "\n");
  }

  void finish() override {
    for (auto& [id, text] : pending_)
      if (!text.empty()) write_stream(STDERR_FILENO, "  | " + text + "\n");
    pending_.clear();
  }

  ~PlainProgress() override {
    try {
      finish();
    } catch (const OutputClosed&) {
      // Nobody reads any more; there is nothing left to show.
    }
  }

 private:
  // Of several that are under way, whose output follows.
  void head(const std::string& id) {
    bool known = shown_.contains(id);
    if (known && last_ != id) write_stream(STDERR_FILENO, one_line(id) + ":\n");
    last_ = id;
  }

  std::string last_;
  std::map<std::string, std::string> shown_;
  std::map<std::string, std::string> pending_;
};

/// A line of JSON for each change, for programs.
class JsonProgress : public Progress {
 public:
  void update(const ProgressItem& item) override {
    constexpr std::array kMarks{"active", "done", "failed"};
    say({{"id", item.id},
         {"status", item.status},
         {"detail", item.detail},
         {"current", item.current},
         {"total", item.total},
         {"state", kMarks[static_cast<std::size_t>(item.mark)]}});
  }
  void output(const std::string& id, std::string_view text) override { say({{"id", id}, {"output", text}}); }
  void finish() override {}

 private:
  static void say(const boost::json::object& line) { write_stream(STDERR_FILENO, boost::json::serialize(line) + "\n"); }
};

class TerminalProgress : public Progress {
 public:
  explicit TerminalProgress(bool colours) : colours_(colours) {}

  void update(const ProgressItem& item) override {
    auto found = std::ranges::find(items_, item.id, &ProgressItem::id);
    bool same = found != items_.end() && found->status == item.status && found->mark == item.mark;
    if (found == items_.end()) {
      items_.push_back(item);
    } else {
      *found = item;
    }
    if (!same) tail_.clear();
    draw(!same);
  }

  void output(const std::string&, std::string_view text) override {
    for (char c : text) {
      if (c == '\n') {
        push_tail();
      } else if (c == '\r') {
        line_.clear();
      } else {
        line_ += c;
      }
    }
    draw(false);
  }

  void finish() override {
    tail_.clear();
    line_.clear();
    if (drawn_ > 0) draw(true);
    drawn_ = 0;
    items_.clear();
  }

  ~TerminalProgress() override {
    try {
      finish();
    } catch (const OutputClosed&) {
      // The terminal went away.
    }
  }

 private:
  void push_tail() {
    tail_.push_back(std::move(line_));
    line_.clear();
    if (tail_.size() > kTailLines) tail_.pop_front();
  }

  void draw(bool now) {
    auto time = std::chrono::steady_clock::now();
    if (!now && time - last_ < kFrame) return;
    last_ = time;
    auto size = terminal_size(STDERR_FILENO).value_or(engine::TerminalSize{});
    auto lines = render(items_, {tail_.begin(), tail_.end()}, {size.rows, size.columns, colours_});
    std::string frame = drawn_ > 0 ? fmt::format("\x1b[{}A", drawn_) : "";
    for (const auto& line : lines) frame += "\r\x1b[2K" + line + "\n";
    write_stream(STDERR_FILENO, frame + "\x1b[J");
    drawn_ = lines.size();
  }

  bool colours_;
  std::vector<ProgressItem> items_;
  std::deque<std::string> tail_;
  std::string line_;
  std::size_t drawn_ = 0;
  std::chrono::steady_clock::time_point last_{};
};

}  // namespace

std::string plain_line(const ProgressItem& item) {
  std::string line = one_line(item.id);
  if (!item.status.empty()) line += ": " + item.status + amount(item);
  if (!item.detail.empty()) line += " (" + one_line(item.detail) + ")";
  return line;
}

std::vector<std::string> render(const std::vector<ProgressItem>& items, const std::vector<std::string>& tail,
                                const Screen& screen) {
  auto room = std::max<std::size_t>(screen.rows, 2) - 1;
  auto below = std::min(tail.size(), room / 2);
  auto shown = choose(items, room - below);
  std::size_t id_width = 0;
  for (const auto* item : shown)
    if (!item->status.empty()) id_width = std::max(id_width, std::min<std::size_t>(display_width(item->id), 48));
  std::vector<std::string> lines;
  for (const auto* item : shown) lines.push_back(ellipsize(line_of(*item, id_width, screen.colours), screen.columns));
  for (std::size_t i = tail.size() - below; i < tail.size(); ++i) {
    auto line = ellipsize("   | " + one_line(tail[i]), screen.columns);
    lines.push_back(screen.colours ? painted(Colour::dim, line) : line);
  }
  return lines;
}

ProgressMode parse_progress_mode(std::string_view text) {
  if (text == "auto") return ProgressMode::automatic;
  if (text == "plain") return ProgressMode::plain;
  if (text == "tty") return ProgressMode::terminal;
  if (text == "quiet") return ProgressMode::quiet;
  if (text == "rawjson") return ProgressMode::json;
  throw Error(ErrorKind::invalid, fmt::format("--progress '{}': expected auto, plain, tty, quiet or rawjson", text));
}

std::unique_ptr<Progress> make_progress(ProgressMode mode, bool colours) {
  if (mode == ProgressMode::quiet) return std::make_unique<NoProgress>();
  if (mode == ProgressMode::json) return std::make_unique<JsonProgress>();
  const char* term = std::getenv("TERM");
  bool capable = is_terminal(STDERR_FILENO) && term != nullptr && std::string_view(term) != "dumb";
  if (mode == ProgressMode::terminal || (mode == ProgressMode::automatic && capable))
    return std::make_unique<TerminalProgress>(colours);
  return std::make_unique<PlainProgress>();
}

}  // namespace gantry::cli
