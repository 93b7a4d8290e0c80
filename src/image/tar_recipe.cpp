#include "tar_recipe.h"

#include <fcntl.h>
#include <isa-l/crc.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "beneath.h"
#include "gantry/base/error.h"

namespace gantry::image {
namespace {

constexpr std::string_view kMagic = "gantry tar recipe 2\n";
constexpr std::string_view kFirstMagic = "gantry tar recipe 1\n";
constexpr int kLevel = 3;
constexpr std::size_t kMostAtOnce = 256u << 10;  // bytes of one record

template <class T>
std::string number(T value) {
  std::string out(sizeof value, '\0');
  for (char& byte : out) {
    byte = static_cast<char>(value & 0xff);
    value = static_cast<T>(value >> 8);
  }
  return out;
}

std::uint32_t crc_of(std::uint32_t before, std::string_view piece) {
  return ::crc32_gzip_refl(before, reinterpret_cast<const unsigned char*>(piece.data()), piece.size());
}

std::size_t hash_of(const EntryName& name) { return std::hash<std::string>()(name.path()); }

void release(ZSTD_CCtx_s* context) { ZSTD_freeCCtx(context); }

std::size_t checked(std::size_t result, const char* what) {
  if (ZSTD_isError(result))
    throw Error(ErrorKind::internal, std::string(what) + " the recipe of a layer: " + ZSTD_getErrorName(result));
  return result;
}

}  // namespace

RecipeWriter::RecipeWriter(int fd) : fd_(fd), zstd_(ZSTD_createCCtx(), release), out_(ZSTD_CStreamOutSize(), '\0') {
  checked(ZSTD_CCtx_setParameter(zstd_.get(), ZSTD_c_compressionLevel, kLevel), "compress");
  put(kMagic);
}

RecipeWriter::~RecipeWriter() = default;

void RecipeWriter::put(std::string_view bytes, bool last) {
  ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
  for (;;) {
    ZSTD_outBuffer out{out_.data(), out_.size(), 0};
    auto left = checked(ZSTD_compressStream2(zstd_.get(), &out, &in, last ? ZSTD_e_end : ZSTD_e_continue), "compress");
    write_all(fd_, {out_.data(), out.pos}, "the recipe of a layer");
    if (last ? left == 0 : in.pos == in.size) return;
  }
}

void RecipeWriter::literal(std::string_view piece) {
  while (!piece.empty()) {
    auto part = piece.substr(0, kMostAtOnce);
    put("L" + number(static_cast<std::uint32_t>(part.size())));
    put(part);
    piece.remove_prefix(part.size());
  }
}

void RecipeWriter::raw(std::string_view piece) {
  auto skipped = std::min<std::uint64_t>(skip_, piece.size());
  if (skipped > 0) {
    skip_ -= skipped;
    position_ += skipped;
    took_content(piece.substr(0, skipped));
  }
  // Moved to the front once a piece and not once a file: a piece holds the contents of hundreds of small ones.
  pending_.erase(0, std::exchange(taken_, 0));
  pending_.append(piece.substr(skipped));
}

void RecipeWriter::content(std::uint64_t at, std::uint64_t size, const EntryName& name) {
  auto path = name.path();
  if (!names_.insert(hash_of(name)).second || path.size() > UINT16_MAX) whole_ = false;
  auto before = static_cast<std::size_t>(at - position_);
  literal(std::string_view(pending_).substr(taken_, before));
  put("F" + number(size) + number(static_cast<std::uint16_t>(path.size())) + path);
  auto there = static_cast<std::size_t>(std::min<std::uint64_t>(size, pending_.size() - taken_ - before));
  auto piece = std::string_view(pending_).substr(taken_ + before, there);
  taken_ += before + there;
  position_ = at + there;
  skip_ = size - there;
  crc_ = 0;
  took_content(piece);
}

void RecipeWriter::took_content(std::string_view piece) {
  crc_ = crc_of(crc_, piece);
  if (skip_ == 0) put("C" + number(crc_));
}

void RecipeWriter::replaces(const EntryName& name) {
  if (names_.contains(hash_of(name))) whole_ = false;
}

bool RecipeWriter::finish() {
  literal(std::string_view(pending_).substr(taken_));
  put("E", true);
  return whole_;
}

namespace {

/// The records of a recipe, uncompressed.
class RecipeStream {
 public:
  explicit RecipeStream(int fd)
      : fd_(fd), zstd_(ZSTD_createDCtx(), ZSTD_freeDCtx), in_(ZSTD_DStreamInSize(), '\0'), buffer_(kMostAtOnce, '\0') {}

  /// Exactly that many bytes, valid until the next call.
  std::string_view take(std::size_t count) {
    if (held_.size() - at_ < count) held_.erase(0, std::exchange(at_, 0));
    while (held_.size() - at_ < count) fill();
    at_ += count;
    return std::string_view(held_).substr(at_ - count, count);
  }

  template <class T>
  T number() {
    auto bytes = take(sizeof(T));
    T value = 0;
    for (std::size_t i = bytes.size(); i-- > 0;)
      value = static_cast<T>((value << 8) | static_cast<unsigned char>(bytes[i]));
    return value;
  }

 private:
  void fill() {
    if (used_.pos == used_.size && !more_) {
      ssize_t n;
      do n = ::read(fd_, in_.data(), in_.size());
      while (n < 0 && errno == EINTR);
      if (n < 0) throw_errno("read the recipe of a layer");
      if (n == 0)
        throw Error(ErrorKind::internal, "the recipe of a layer is cut off", "remove the image and get it again");
      used_ = {in_.data(), static_cast<std::size_t>(n), 0};
    }
    ZSTD_outBuffer out{buffer_.data(), buffer_.size(), 0};
    checked(ZSTD_decompressStream(zstd_.get(), &out, &used_), "read");
    more_ = out.pos == out.size;  // there may be more behind what has been read already
    held_.append(buffer_.data(), out.pos);
  }

  int fd_;
  std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> zstd_;
  std::string in_;
  std::string buffer_;
  ZSTD_inBuffer used_{nullptr, 0, 0};
  bool more_ = false;
  std::string held_;
  std::size_t at_ = 0;  ///< in `held_`
};

/// Makes a tar again, record by record.
class Replay {
 public:
  Replay(int fd, int directory, const std::function<void(std::string_view)>& sink, const FaultSink& fault)
      : stream_(fd), directory_(directory), sink_(sink), fault_(fault), buffer_(kMostAtOnce, '\0') {}

  void run() {
    auto magic = stream_.take(kMagic.size());
    if (magic != kMagic && magic != kFirstMagic) damaged();
    while (record()) {
    }
  }

 private:
  [[noreturn]] static void damaged() {
    throw Error(ErrorKind::internal, "the recipe of a layer is damaged", "run 'gantry image verify --repair'");
  }

  bool record() {
    switch (stream_.take(1).front()) {
      case 'L': {
        auto length = stream_.number<std::uint32_t>();
        if (length > kMostAtOnce) damaged();
        sink_(stream_.take(length));
        return true;
      }
      case 'F': {
        auto size = stream_.number<std::uint64_t>();
        auto length = stream_.number<std::uint16_t>();
        name_ = stream_.take(length);
        faulty_ = false;
        file(size);
        return true;
      }
      case 'C':
        if (stream_.number<std::uint32_t>() != crc_ && !faulty_) changed("has other content than it had");
        return true;
      case 'E':
        return false;
      default:
        damaged();
    }
  }

  void changed(const std::string& problem) {
    faulty_ = true;
    if (!fault_)
      throw Error(ErrorKind::conflict, "layer file \"" + name_ + "\" " + problem,
                  "run 'gantry image verify --repair', or remove the image and get it again");
    fault_(name_, problem);
  }

  void file(std::uint64_t size) {
    crc_ = 0;
    auto left = copy(size);
    std::fill(buffer_.begin(), buffer_.end(), '\0');
    for (; left > 0; left -= std::min<std::uint64_t>(left, buffer_.size()))
      sink_(std::string_view(buffer_).substr(0, std::min<std::uint64_t>(left, buffer_.size())));
  }

  /// Returns how many bytes could not be had.
  std::uint64_t copy(std::uint64_t size) {
    Fd fd = open_beneath(directory_, name_, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    if (!fd) {
      changed(errno == ENOENT || errno == ENOTDIR ? "is missing" : "cannot be opened: " + reason(errno));
      return size;
    }
    struct stat info {};
    if (::fstat(fd.get(), &info) < 0) throw_errno("inspect layer file " + name_);
    if (!S_ISREG(info.st_mode)) {
      changed("is not a regular file any more");
      return size;
    }
    if (static_cast<std::uint64_t>(info.st_size) != size) {
      changed("has " + std::to_string(info.st_size) + " bytes, not " + std::to_string(size));
      return size;
    }
    while (size > 0) {
      ssize_t n =
          ::read(fd.get(), buffer_.data(), static_cast<std::size_t>(std::min<std::uint64_t>(size, buffer_.size())));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) {
        changed(n < 0 ? "cannot be read: " + reason(errno) : "became shorter");
        return size;
      }
      std::string_view piece(buffer_.data(), static_cast<std::size_t>(n));
      crc_ = crc_of(crc_, piece);
      sink_(piece);
      size -= piece.size();
    }
    return 0;
  }

  static std::string reason(int code) { return ::strerrordesc_np(code); }

  RecipeStream stream_;
  int directory_;
  const std::function<void(std::string_view)>& sink_;
  const FaultSink& fault_;
  std::string buffer_;
  std::string name_;
  bool faulty_ = false;
  std::uint32_t crc_ = 0;
};

}  // namespace

void replay_recipe(int fd, int directory, const std::function<void(std::string_view)>& sink, const FaultSink& fault) {
  Replay(fd, directory, sink, fault).run();
}

}  // namespace gantry::image
