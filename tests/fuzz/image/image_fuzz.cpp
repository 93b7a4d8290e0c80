// What comes from outside into the image store. The first byte says what the rest is: 'r' an image reference, 's' apt
// sources, 'l' an archive of images, 'p' an archive that is put into a container's tree full of links to the outside,
// anything else an archive. An archive is refused with an Error or unpacked below its directory and nowhere else; what
// was unpacked gives a tar that unpacks to the same again.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "apt_sources.h"
#include "archive_reader.h"
#include "erofs_writer.h"
#include "gantry/base/error.h"
#include "gantry/base/files.h"
#include "gantry/image/archive.h"
#include "gantry/image/image_store.h"
#include "gantry/image/tree_archive.h"
#include "gantry/oci/reference.h"
#include "layer_tar.h"
#include "unpack.h"

namespace {

namespace fs = std::filesystem;
using namespace gantry;

constexpr std::size_t kBlock = 512;
constexpr std::uintmax_t kLargestRoundTrip = 4u << 20;  // holes are written as zeros

void require(bool holds) {
  if (!holds) std::abort();
}

// Otherwise a mutation anywhere in a header would only ever show that checksums are checked.
std::string with_checksums(std::string archive) {
  for (std::size_t at = 0; at + kBlock <= archive.size(); at += kBlock) {
    if (archive.compare(at + 257, 5, "ustar") != 0) continue;
    archive.replace(at + 148, 8, 8, ' ');
    unsigned sum = 0;
    for (std::size_t i = 0; i < kBlock; ++i) sum += static_cast<unsigned char>(archive[at + i]);
    char text[8];
    std::snprintf(text, sizeof text, "%06o", sum & 0777777);
    archive.replace(at + 148, 7, text, 7);
  }
  return archive;
}

image::Unpacked unpack(const std::string& archive, const fs::path& into) {
  fs::create_directory(into);
  Fd file(::memfd_create("archive", MFD_CLOEXEC));
  write_all(file.get(), archive, "archive");
  ::lseek(file.get(), 0, SEEK_SET);
  Fd directory = open_file(into.string(), O_RDONLY | O_DIRECTORY);
  return image::unpack_archive(file.get(), directory.get(), {.attributes = ::geteuid() == 0});
}

std::string tar_of(const fs::path& tree) {
  Fd directory = open_file(tree.string(), O_RDONLY | O_DIRECTORY);
  std::string out;
  image::write_layer_tar(directory.get(), [&](std::string_view piece) { out += piece; });
  return out;
}

bool is_small(const fs::path& tree) {
  std::uintmax_t total = 0;
  for (const auto& entry : fs::recursive_directory_iterator(tree))
    if (fs::is_regular_file(entry.symlink_status())) total += entry.file_size();
  return total <= kLargestRoundTrip;
}

// In memory where that is possible: thousands of small trees are made and removed.
fs::path scratch() { return ::access("/dev/shm", W_OK) == 0 ? fs::path("/dev/shm") : fs::temp_directory_path(); }

// The same archive as a file-system image: written, or refused with an Error.
void image_of(const std::string& bytes) {
  Fd file(::memfd_create("archive", MFD_CLOEXEC)), made(::memfd_create("image", MFD_CLOEXEC));
  write_all(file.get(), bytes, "archive");
  ::lseek(file.get(), 0, SEEK_SET);
  try {
    image::PlainStream stream(file.get(), {});
    image::ErofsWriter writer(made.get());
    image::unpack_tar(stream, writer, {}, nullptr);
    require(::lseek(made.get(), 0, SEEK_END) % 4096 == 0);
  } catch (const Error& error) {
    require(!error.message().empty());
  }
}

void tree_of(const std::string& bytes) {
  image_of(bytes);
  TemporaryDirectory dir(scratch(), "gantry-fuzz-");
  write_file(dir.path() / "outside", "untouched");
  try {
    unpack(bytes, dir.path() / "root");
    if (is_small(dir.path() / "root")) {
      auto tar = tar_of(dir.path() / "root");
      require(unpack(tar, dir.path() / "again").digest == oci::Digest::of(tar));
      require(tar_of(dir.path() / "again") == tar);
      remove_tree(dir.path() / "again");
    }
  } catch (const Error& error) {
    require(!error.message().empty());
    remove_tree(dir.path() / "again");
  }
  require(read_file(dir.path() / "outside") == "untouched");
  require(std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator()) == 2);
}

/// A store that takes one archive after the other.
struct World {
  TemporaryDirectory dir{scratch(), "gantry-fuzz-"};
  store::Database database{dir.path() / "db", {image::schema()}};
  content::ContentStore content{dir.path() / "content"};
  image::ImageStore images{database, content, dir.path() / "layers"};
};

// Refused with an Error, or every image of it is here, and leaves with the same layers as it came.
void images(const std::string& bytes) {
  static World world;
  Fd file(::memfd_create("archive", MFD_CLOEXEC));
  write_all(file.get(), bytes, "archive");
  ::lseek(file.get(), 0, SEEK_SET);
  try {
    for (const auto& loaded : world.images.load(file.get(), {})) {
      for (const auto& diff_id : loaded.image.layers) {
        try {
          world.images.write_layer(diff_id, [](std::string_view) {});
        } catch (const Error& error) {
          require(error.kind() == ErrorKind::unsupported || error.kind() == ErrorKind::conflict);
        }
      }
    }
  } catch (const Error& error) {
    require(!error.message().empty());
  }
  require(fs::is_empty(world.dir.path() / "layers" / "ingest"));
  world.images.prune(true, {}, [](const image::ImageInfo&) { return true; });
}

// The tree of a container that wants out.
void make_trap(const fs::path& root, const fs::path& outside) {
  fs::create_directories(root / "usr/lib");
  fs::create_directories(root / "a/b");
  fs::create_symlink(outside, root / "link");
  fs::create_symlink("../../../../../../../.." + outside.string(), root / "a/up");
  fs::create_symlink("usr/lib", root / "lib");
  fs::create_symlink(outside / "file", root / "a/file");
}

void put(const std::string& bytes) {
  TemporaryDirectory dir(scratch(), "gantry-fuzz-");
  auto outside = dir.path() / "outside";
  fs::create_directory(outside);
  write_file(outside / "file", "untouched");
  make_trap(dir.path() / "root", outside);
  Fd file(::memfd_create("archive", MFD_CLOEXEC));
  write_all(file.get(), bytes, "archive");
  ::lseek(file.get(), 0, SEEK_SET);
  Fd root = open_file((dir.path() / "root").string(), O_PATH | O_DIRECTORY);
  image::PutOptions options;
  if (::geteuid() != 0) options.owner = image::PutOptions::Owner{::geteuid(), ::getegid()};
  try {
    image::put_archive(file.get(), root.get(), bytes.size() % 2 == 0 ? "/" : "/a", options);
  } catch (const Error& error) {
    require(!error.message().empty());
  }
  try {
    image::TreeArchive archive(std::move(root), "/", {});
    while (!archive.next().empty()) continue;
  } catch (const Error& error) {
    require(!error.message().empty());
  }
  require(read_file(outside / "file") == "untouched");
  require(std::distance(fs::directory_iterator(outside), fs::directory_iterator()) == 1);
  require(std::distance(fs::directory_iterator(dir.path()), fs::directory_iterator()) == 2);
}

void reference(std::string_view text) {
  try {
    auto parsed = oci::Reference::parse(text);
    require(oci::Reference::parse(parsed.canonical()).familiar() == parsed.familiar());
  } catch (const Error& error) {
    require(error.kind() == ErrorKind::invalid);
  }
}

void sources(std::string_view text) {
  for (const auto& parsed : {image::apt::parse_list(text), image::apt::parse_deb822(text)})
    image::apt::to_deb822(image::apt::choose(parsed, "bookworm"));
  image::apt::installed_packages(text);
  image::apt::needed_options(text);
  image::apt::parse_release(text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] == 'r')
    reference(text);
  else if (data[0] == 's')
    sources(text);
  else if (data[0] == 'l')
    images(with_checksums(text));
  else if (data[0] == 'p')
    put(with_checksums(text));
  else
    tree_of(with_checksums(text));
  return 0;
}
