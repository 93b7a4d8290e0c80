#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "beneath.h"
#include "gantry/base/error.h"
#include "gantry/base/json.h"
#include "gantry/oci/platform.h"
#include "image_store_impl.h"
#include "unpack.h"

// The archive is unpacked as a tree of plain files first, because its catalogue may stand behind what it speaks of.
// Everything it says about paths is followed below that tree only; everything it says about content is checked by
// digest.
namespace gantry::image {
namespace {

constexpr std::size_t kDocumentLimit = 16u << 20;  // configurations and catalogues
constexpr int kDeepestIndex = 4;
constexpr std::size_t kMostImages = 1000;
constexpr char kNameAnnotation[] = "io.containerd.image.name";
constexpr char kTagAnnotation[] = "org.opencontainers.image.ref.name";

struct ArchiveEntry {
  std::string Config;
  std::vector<std::string> RepoTags;
  std::vector<std::string> Layers;
};
BOOST_DESCRIBE_STRUCT(ArchiveEntry, (), (Config, RepoTags, Layers))

struct PlatformOf {
  std::string os, architecture;
};
BOOST_DESCRIBE_STRUCT(PlatformOf, (), (os, architecture))

struct IndexEntry {
  std::string mediaType, digest;
  std::optional<PlatformOf> platform;
  std::optional<std::map<std::string, std::string>> annotations;
};
BOOST_DESCRIBE_STRUCT(IndexEntry, (), (mediaType, digest, platform, annotations))

struct Index {
  std::vector<IndexEntry> manifests;
};
BOOST_DESCRIBE_STRUCT(Index, (), (manifests))

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ErrorKind::invalid, "image archive: " + why,
              "load what `gantry image save`, `docker save` or `skopeo copy` wrote; a root file system is imported");
}

/// The files of an archive, unpacked.
class Tree {
 public:
  Tree(TemporaryDirectory directory, int fd, const std::function<void(std::uint64_t)>& progress)
      : directory_(std::move(directory)), root_(open_file(directory_.path().string(), O_RDONLY | O_DIRECTORY)) {
    unpack_archive(fd, root_.get(), {.whiteouts = false, .attributes = false}, progress);
  }

  /// An invalid Fd when it is not there.
  Fd find(const std::string& path) const {
    Fd fd = open_beneath(root_.get(), path, O_RDONLY | O_NONBLOCK, Links::inside);
    if (!fd) return fd;
    struct stat info {};
    if (::fstat(fd.get(), &info) < 0) throw_errno("inspect \"" + path + "\" of an image archive");
    if (!S_ISREG(info.st_mode)) refuse("\"" + path + "\" is not a file");
    return fd;
  }
  Fd open(const std::string& path) const {
    Fd fd = find(path);
    if (!fd) refuse("\"" + path + "\" is not in it");
    return fd;
  }
  std::string read(const std::string& path) const {
    return read_to_end(open(path).get(), "\"" + path + "\" of an image archive", kDocumentLimit);
  }
  static std::string blob(const std::string& digest) { return "blobs/sha256/" + oci::Digest::parse(digest).hex(); }
  /// A blob that is small, its digest checked.
  std::string read_blob(const std::string& digest) const {
    auto text = read(blob(digest));
    if (oci::Digest::of(text).str() != digest) refuse("the content of blob " + digest + " has another digest");
    return text;
  }

 private:
  TemporaryDirectory directory_;
  Fd root_;
};

/// An image as an archive describes it.
struct Described {
  std::string config;
  std::vector<std::string> layers;  ///< paths in the tree
  std::vector<std::string> names;
  std::string config_digest;  ///< of an OCI layout
};

// "1.0" alone is a tag without a name: there is nothing to call the image.
std::vector<std::string> names_of(const IndexEntry& entry) {
  if (!entry.annotations) return {};
  if (auto name = entry.annotations->find(kNameAnnotation); name != entry.annotations->end()) return {name->second};
  auto name = entry.annotations->find(kTagAnnotation);
  if (name == entry.annotations->end() || name->second.find_first_of(":/") == std::string::npos) return {};
  return {name->second};
}

class Catalogue {
 public:
  explicit Catalogue(const Tree& tree) : tree_(tree) {}

  std::vector<Described> read() {
    if (tree_.find("manifest.json")) {
      read_docker();
    } else if (tree_.find("index.json")) {
      auto index = json::from_text<Index>(tree_.read("index.json"), "index.json of an image archive");
      for (const auto& entry : index.manifests) take(entry, names_of(entry), 0);
    } else {
      refuse("neither manifest.json nor index.json is in it");
    }
    if (out_.empty()) refuse("there is no image in it");
    return std::move(out_);
  }

 private:
  void read_docker() {
    auto text = tree_.read("manifest.json");
    auto entries = json::from_text<std::vector<ArchiveEntry>>(text, "manifest.json of an image archive");
    if (entries.size() > kMostImages) refuse("too many images");
    for (auto& entry : entries)
      out_.push_back({tree_.read(entry.Config), std::move(entry.Layers), std::move(entry.RepoTags), {}});
  }

  static bool is_index(const std::string& type) {
    return type == "application/vnd.oci.image.index.v1+json" ||
           type == "application/vnd.docker.distribution.manifest.list.v2+json";
  }

  void take(const IndexEntry& entry, const std::vector<std::string>& names, int depth) {
    if (depth > kDeepestIndex) refuse("indexes within indexes, deeper than any image needs");
    if (++looked_at_ > kMostImages) refuse("too many images");
    if (is_index(entry.mediaType)) return take_index(entry, names, depth);
    auto manifest = json::from_text<oci::Manifest>(tree_.read_blob(entry.digest), "manifest " + entry.digest);
    for (auto& known : out_)
      if (known.config_digest == manifest.config.digest) return add_names(known, names);
    Described found;
    found.config_digest = manifest.config.digest;
    found.config = tree_.read_blob(manifest.config.digest);
    for (const auto& layer : manifest.layers) found.layers.push_back(Tree::blob(layer.digest));
    found.names = names;
    out_.push_back(std::move(found));
  }

  // Of the platforms of one image those are taken that are in the archive; this machine's when it is among them.
  void take_index(const IndexEntry& entry, const std::vector<std::string>& names, int depth) {
    auto index = json::from_text<Index>(tree_.read_blob(entry.digest), "index " + entry.digest);
    std::vector<IndexEntry> there;
    for (const auto& one : index.manifests) {
      bool statement = one.platform && one.platform->os == "unknown";  // attestations
      if (!statement && tree_.find(Tree::blob(one.digest))) there.push_back(one);
    }
    static const auto kHere = oci::Platform::current();
    auto ours = std::find_if(there.begin(), there.end(), [](const IndexEntry& one) {
      return one.platform && one.platform->os == kHere.os && one.platform->architecture == kHere.architecture;
    });
    if (ours != there.end()) return take(*ours, names, depth + 1);
    if (there.size() != 1) refuse("it holds no image for this machine under " + entry.digest);
    take(there.front(), names, depth + 1);
  }

  static void add_names(Described& known, const std::vector<std::string>& names) {
    known.names.insert(known.names.end(), names.begin(), names.end());
  }

  const Tree& tree_;
  std::vector<Described> out_;
  std::size_t looked_at_ = 0;
};

/// Makes images of what an archive describes.
class Loader {
 public:
  Loader(ImageStore& images, const Tree& tree, const ProgressSink& progress)
      : images_(images), tree_(tree), progress_(progress), lease_(images.lease()) {}

  ImageStore::Loaded take(const Described& described) {
    for (const auto& name : described.names) require_name(name);
    auto config = json::from_text<oci::ImageConfig>(described.config, "configuration of an image in the archive");
    const auto& diff_ids = config.rootfs.diff_ids;
    if (diff_ids.size() != described.layers.size())
      refuse("an image lists " + std::to_string(described.layers.size()) + " layers, and its configuration " +
             std::to_string(diff_ids.size()));
    for (std::size_t i = 0; i < diff_ids.size(); ++i) take_layer(described.layers[i], diff_ids[i]);
    ImageStore::Loaded out;
    out.image = images_.adopt_image(described.config, "", diff_ids, "", *lease_, described.names.empty());
    for (const auto& name : described.names) {
      if (auto loser = owner_of(name); !loser.empty() && loser != out.image.id)
        out.replaced.push_back(oci::Reference::parse(name).familiar() + " " + loser);
      images_.tag(out.image.id, name);
      out.names.push_back(oci::Reference::parse(name).familiar());
    }
    out.image = images_.resolve(out.image.id);
    return out;
  }

 private:
  static void require_name(const std::string& name) {
    if (!oci::Reference::parse(name).digest.empty()) refuse("\"" + name + "\" is no name to give: it has a digest");
  }

  std::string owner_of(const std::string& name) const {
    try {
      return images_.resolve(name).id;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::not_found) throw;
      return "";
    }
  }

  bool is_there(const std::string& diff_id) const {
    try {
      images_.hold(*lease_, diff_id);
      return true;
    } catch (const Error& error) {
      if (error.kind() != ErrorKind::not_found) throw;
      return false;
    }
  }

  void take_layer(const std::string& path, const std::string& diff_id) {
    if (is_there(oci::Digest::parse(diff_id).str())) return;
    Fd fd = tree_.open(path);
    auto named = [&](const Progress& progress) {
      auto shown = progress;
      shown.id = diff_id;
      progress_(shown);
    };
    auto made = images_.import_layer(fd.get(), *lease_, progress_ ? ProgressSink(named) : ProgressSink());
    if (made != diff_id) refuse("layer \"" + path + "\" has the digest " + made + ", not " + diff_id);
  }

  ImageStore& images_;
  const Tree& tree_;
  const ProgressSink& progress_;
  std::shared_ptr<ImageStore::Lease> lease_;
};

}  // namespace

std::vector<ImageStore::Loaded> ImageStore::load(int fd, const ProgressSink& progress) {
  auto received = [&](std::uint64_t bytes) {
    if (progress) progress({"archive", "receiving", bytes, 0});
  };
  Tree tree(impl_->layers.ingest(), fd, received);
  Loader loader(*this, tree, progress);
  std::vector<Loaded> out;
  for (const auto& described : Catalogue(tree).read()) out.push_back(loader.take(described));
  return out;
}

}  // namespace gantry::image
