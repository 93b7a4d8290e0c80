#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gantry/runtime/log_record.h"
#include "sys.h"

namespace gantry::shim::log {
namespace {

using runtime::kMaxRecord;
using runtime::RecordHeader;

struct Line {
  char data[kMaxRecord];
  std::size_t length = 0;
};

int directory = -1;
int file = -1;
std::uint64_t file_size = 0;
std::uint64_t max_size = 0;
int max_files = 1;
std::uint64_t dropped = 0;

Line lines[2];
char batch[64 * 1024];
std::size_t batch_used = 0;
std::uint64_t batch_records = 0;

Text<32> name_of(int number) {
  Text<32> name;
  name.add("log");
  if (number > 0) name.add(".").add(static_cast<std::uint64_t>(number));
  return name;
}

void reopen() {
  file = ::openat(directory, "log", O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  struct stat info {};
  file_size = file >= 0 && ::fstat(file, &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

void rotate() {
  ::close(file);
  file = -1;
  // The reader follows a file by its inode: with a single file the old one is unlinked, not truncated.
  if (max_files <= 1) ::unlinkat(directory, "log", 0);
  for (int i = max_files - 1; i >= 1; --i) ::renameat(directory, name_of(i - 1).c_str(), directory, name_of(i).c_str());
  reopen();
}

void put(std::int64_t time, int stream, bool partial, const char* head, std::size_t head_size, const char* tail,
         std::size_t tail_size);

void flush() {
  if (batch_used == 0) return;
  if (file < 0) reopen();
  if (file >= 0 && max_size > 0 && file_size > 0 && file_size + batch_used > max_size) rotate();
  if (file >= 0 && write_all(file, batch, batch_used)) {
    file_size += batch_used;
  } else {
    dropped += batch_records;
    if (file >= 0 && ::ftruncate(file, static_cast<off_t>(file_size)) < 0) {
      // The torn record stays; the reader skips it.
    }
  }
  batch_used = 0;
  batch_records = 0;
}

// Only once the batch before has gone through, so that a full disk does not multiply notes.
void note_dropped() {
  if (dropped == 0 || batch_used != 0) return;
  Text<128> note;
  note.add("gantry: ").add(dropped).add(" log records lost: the disk was full\n");
  std::uint64_t lost = dropped;
  dropped = 0;
  put(wall_nanos(), 2, false, note.c_str(), note.length(), nullptr, 0);
  flush();
  if (dropped != 0) dropped = lost;
}

void put(std::int64_t time, int stream, bool partial, const char* head, std::size_t head_size, const char* tail,
         std::size_t tail_size) {
  RecordHeader header;
  header.time = time;
  header.length = static_cast<std::uint32_t>(head_size + tail_size);
  header.stream = static_cast<std::uint8_t>(stream);
  header.flags = partial ? runtime::kFlagPartial : 0;
  if (batch_used + sizeof header + header.length > sizeof batch) flush();
  memcpy(batch + batch_used, &header, sizeof header);
  batch_used += sizeof header;
  memcpy(batch + batch_used, head, head_size);
  batch_used += head_size;
  if (tail_size > 0) memcpy(batch + batch_used, tail, tail_size);
  batch_used += tail_size;
  ++batch_records;
}

}  // namespace

void open(int directory_fd, std::uint64_t most, int files) {
  if (files < 1) return;
  directory = directory_fd;
  max_size = most;
  max_files = files;
  reopen();
}

void write(int stream, const char* data, std::size_t size) {
  if (directory < 0) return;
  note_dropped();
  Line& line = lines[stream == 2 ? 1 : 0];
  std::int64_t time = wall_nanos();
  while (size > 0) {
    std::size_t room = kMaxRecord - line.length;
    std::size_t take = size < room ? size : room;
    const void* newline = memchr(data, '\n', take);
    if (newline != nullptr) take = static_cast<std::size_t>(static_cast<const char*>(newline) - data) + 1;
    bool full = line.length + take == kMaxRecord;
    if (newline != nullptr || full) {
      put(time, stream, newline == nullptr, line.data, line.length, data, take);
      line.length = 0;
    } else {
      memcpy(line.data + line.length, data, take);
      line.length += take;
    }
    data += take;
    size -= take;
  }
  flush();
}

void finish() {
  for (int i = 0; i < 2; ++i)
    if (lines[i].length > 0) {
      put(wall_nanos(), i + 1, false, lines[i].data, lines[i].length, nullptr, 0);
      lines[i].length = 0;
    }
  flush();
  note_dropped();
}

}  // namespace gantry::shim::log
