#include "gantry/runtime/log_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <deque>

#include "gantry/base/fd.h"
#include "gantry/runtime/log_record.h"

namespace gantry::runtime {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kWindow = 256u << 10;
constexpr int kRounds = 1000;

struct Open {
  Fd fd;
  ino_t inode = 0;
};

// A name may vanish between listing and opening: that is an ordinary answer during a rotation.
std::optional<Open> open_log(const fs::path& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat info {};
  if (!fd || ::fstat(fd.get(), &info) < 0) return std::nullopt;
  return Open{std::move(fd), info.st_ino};
}

ino_t inode_of(const fs::path& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? info.st_ino : 0;
}

fs::path numbered(const fs::path& state_dir, int number) {
  return state_dir / (number == 0 ? "log" : "log." + std::to_string(number));
}

// The number of the oldest file. Numbers have no gaps, except for a moment while they are shifted.
int oldest_number(const fs::path& state_dir) {
  int oldest = 0;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(state_dir, ignored)) {
    auto name = entry.path().filename().string();
    if (name.starts_with("log.") && name.find_first_not_of("0123456789", 4) == std::string::npos && name.size() < 10)
      oldest = std::max(oldest, std::stoi("0" + name.substr(4)));
  }
  return oldest;
}

bool plausible(const RecordHeader& header) {
  return header.magic == kRecordMagic && header.length <= kMaxRecord && header.zero == 0 && header.flags <= 1 &&
         (header.stream == 1 || header.stream == 2);
}

}  // namespace

struct LogReader::Impl {
  explicit Impl(fs::path directory) : state_dir(std::move(directory)) {}

  std::optional<LogEntry> take();
  bool fill();
  bool open_oldest();
  bool open_next();
  void open(Open opened);
  void skip_damage();

  fs::path state_dir;
  Fd file;
  ino_t inode = 0;
  std::uint64_t offset = 0;  ///< of the end of `window` in the file
  std::string window;
  std::size_t at = 0;
  std::deque<LogEntry> held;  ///< from seek_tail
};

void LogReader::Impl::open(Open opened) {
  file = std::move(opened.fd);
  inode = opened.inode;
  offset = 0;
  window.clear();
  at = 0;
}

// Names are shifted from the highest down: when there is a higher one afterwards, it may be that of the oldest.
bool LogReader::Impl::open_oldest() {
  for (int round = 0; round < kRounds; ++round) {
    int oldest = oldest_number(state_dir);
    std::optional<Open> opened;
    for (int number = oldest; number >= 0 && !opened; --number) opened = open_log(numbered(state_dir, number));
    if (inode_of(numbered(state_dir, oldest + 1)) != 0) continue;
    if (!opened) return false;
    open(std::move(*opened));
    return true;
  }
  return false;
}

// The file after ours: one number below the one that ours has now; the oldest when ours has been deleted. While names
// are shifted, from the highest down, ours may be missed; and it is the next one only if ours has its number still.
bool LogReader::Impl::open_next() {
  for (int round = 0; round < kRounds; ++round) {
    for (int number = oldest_number(state_dir); number >= 1; --number) {
      if (inode_of(numbered(state_dir, number)) != inode) continue;
      auto opened = open_log(numbered(state_dir, number - 1));
      if (inode_of(numbered(state_dir, number)) != inode) break;
      if (!opened || opened->inode == inode) return false;
      open(std::move(*opened));
      return true;
    }
    struct stat ours {};
    if (::fstat(file.get(), &ours) < 0 || ours.st_nlink == 0) return open_oldest();
    if (inode_of(numbered(state_dir, 0)) == inode) return false;
  }
  return open_oldest();  // ours was moved away by somebody else
}

bool LogReader::Impl::fill() {
  window.erase(0, at);
  at = 0;
  std::size_t had = window.size();
  window.resize(had + kWindow);
  ssize_t n = ::pread(file.get(), window.data() + had, kWindow, static_cast<off_t>(offset));
  window.resize(had + static_cast<std::size_t>(std::max<ssize_t>(n, 0)));
  offset += window.size() - had;
  return window.size() > had;
}

void LogReader::Impl::skip_damage() {
  auto magic = std::string_view(reinterpret_cast<const char*>(&kRecordMagic), sizeof kRecordMagic);
  auto found = std::string_view(window).find(magic, at + 1);
  // The last three bytes may be the beginning of a magic that is not read yet.
  at = found != std::string_view::npos ? found
                                       : std::max(at + 1, window.size() - std::min<std::size_t>(window.size(), 3));
}

std::optional<LogEntry> LogReader::Impl::take() {
  while (window.size() - at >= sizeof(RecordHeader)) {
    RecordHeader header;
    std::memcpy(&header, window.data() + at, sizeof header);
    if (!plausible(header)) {
      skip_damage();
      continue;
    }
    if (window.size() - at < sizeof header + header.length) return std::nullopt;
    LogEntry entry;
    entry.time = Timestamp(Duration(header.time));
    entry.stream = static_cast<StdStream>(header.stream);
    entry.partial = (header.flags & kFlagPartial) != 0;
    entry.data = window.substr(at + sizeof header, header.length);
    at += sizeof header + header.length;
    return entry;
  }
  return std::nullopt;
}

LogReader::LogReader(fs::path state_dir) : impl_(std::make_unique<Impl>(std::move(state_dir))) {}
LogReader::~LogReader() = default;

std::optional<LogEntry> LogReader::next() {
  if (!impl_->held.empty()) {
    auto entry = std::move(impl_->held.front());
    impl_->held.pop_front();
    return entry;
  }
  if (!impl_->file && !impl_->open_oldest()) return std::nullopt;
  for (;;) {
    if (auto entry = impl_->take()) return entry;
    if (impl_->fill()) continue;
    // At the end of a file that is no longer written: what came between our last read and its rotation is read first.
    if (inode_of(impl_->state_dir / "log") == impl_->inode) return std::nullopt;
    if (impl_->fill()) continue;
    if (!impl_->open_next()) return std::nullopt;
  }
}

// Logs are bounded by rotation, so the tail is found by reading all of them once and keeping the last lines.
void LogReader::seek_tail(std::size_t lines) {
  impl_->held.clear();
  impl_->file.reset();
  std::deque<LogEntry> kept;
  std::size_t complete = 0;
  while (auto entry = next()) {
    if (!entry->partial) ++complete;
    kept.push_back(std::move(*entry));
    while (complete > lines) {
      if (!kept.front().partial) --complete;
      kept.pop_front();
    }
  }
  impl_->held = std::move(kept);
}

}  // namespace gantry::runtime
