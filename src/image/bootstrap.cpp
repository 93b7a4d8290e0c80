#include <sys/utsname.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <set>

#include "apt_sources.h"
#include "bootstrap_hook.h"
#include "gantry/base/error.h"
#include "gantry/base/files.h"
#include "gantry/base/process.h"
#include "gantry/image/image_store.h"
#include "mmdebstrap.h"

namespace gantry::image {
namespace fs = std::filesystem;
namespace {

constexpr char kPath[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What the archive itself says, and the sources that it really has.
struct Archive {
  std::vector<apt::Source> sources;
  std::time_t date = 0;  ///< of the newest Release file
  std::string codename;
};

std::string suite_of(const std::string& name) {
  auto reference = oci::Reference::parse(name);
  bool debian = reference.domain == "docker.io" && reference.path == "library/debian" && reference.digest.empty();
  if (!debian)
    throw Error(ErrorKind::unsupported, "bootstrap \"" + name + "\": only Debian suites can be made from their archive",
                "use debian:<suite>, for example debian:bookworm; for others, 'gantry image import' takes a root file "
                "system as a tar");
  if (reference.tag == "latest")
    throw Error(ErrorKind::invalid, "bootstrap \"" + name + "\": the suite is missing", "name it: debian:bookworm");
  bool plain = std::all_of(reference.tag.begin(), reference.tag.end(),
                           [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); });
  if (!plain)
    throw Error(ErrorKind::unsupported, "bootstrap \"" + name + "\": \"" + reference.tag + "\" is not a Debian suite",
                "use the suite's name alone, for example debian:bookworm");
  return reference.tag;
}

void require_package_names(const std::vector<std::string>& packages) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyz0123456789+-.:=~";
  for (const auto& package : packages) {
    bool valid = !package.empty() &&
                 ((package[0] >= 'a' && package[0] <= 'z') || (package[0] >= '0' && package[0] <= '9')) &&
                 package.find_first_not_of(kAllowed) == std::string::npos;
    if (!valid) throw Error(ErrorKind::invalid, "\"" + package + "\" is not the name of a Debian package");
  }
}

std::string architecture() {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kNames{{{"x86_64", "amd64"},
                                                                                 {"aarch64", "arm64"},
                                                                                 {"ppc64le", "ppc64le"},
                                                                                 {"s390x", "s390x"},
                                                                                 {"riscv64", "riscv64"},
                                                                                 {"i686", "386"}}};
  utsname info{};
  ::uname(&info);
  for (auto [kernel, image] : kNames)
    if (kernel == info.machine) return std::string(image);
  throw Error(ErrorKind::unsupported, std::string("machine ") + info.machine + " has no image architecture");
}

std::optional<std::time_t> parse_date(const std::string& text) {
  std::tm parts{};
  const char* end = ::strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S", &parts);
  if (end == nullptr) return std::nullopt;
  return ::timegm(&parts);
}

// apt's own downloader, so that proxies and mirrors work exactly as they do for apt. What it fetches here only says
// which suites there are and how old they are; apt verifies everything that goes into the image itself.
std::optional<std::map<std::string, std::string>> fetch_release(const apt::Source& source, const fs::path& directory) {
  auto file = directory / "InRelease";
  auto separator = source.uri.ends_with('/') ? "" : "/";
  auto address = source.uri + separator + "dists/" + source.suite + "/InRelease";
  auto result = run_captured({.argv = {"/usr/lib/apt/apt-helper", "download-file", address, file.string()}});
  auto said = result.out + result.err;
  if (result.status.code == 0) return apt::parse_release(read_file(file));
  bool absent = said.find("404 ") != std::string::npos || said.find("File not found") != std::string::npos;
  if (absent) return std::nullopt;
  auto at = said.rfind("E: Failed");
  throw Error(ErrorKind::unavailable,
              "read the archive's " + source.suite + " suite: " + said.substr(at == std::string::npos ? 0 : at, 300),
              "check that 'apt-get update' works on this machine, then try again");
}

[[noreturn]] void no_suite(const std::string& suite, bool any_source) {
  if (!any_source)
    throw Error(ErrorKind::not_found, "this machine's apt configuration names no Debian mirror",
                "add one to /etc/apt/sources.list.d, as described in sources.list(5)");
  throw Error(ErrorKind::not_found, "the Debian mirrors of this machine have no suite \"" + suite + "\"",
              "use a suite that they have, for example debian:bookworm");
}

Archive look_up(const std::string& suite, const std::vector<apt::Source>& candidates, const fs::path& directory) {
  Archive archive;
  for (const auto& source : candidates) {
    auto release = fetch_release(source, directory);
    if (!release || (*release)["Origin"] != "Debian") continue;
    archive.sources.push_back(source);
    archive.date = std::max(archive.date, parse_date((*release)["Date"]).value_or(0));
    if (source.suite == suite) archive.codename = (*release)["Codename"];
  }
  if (archive.codename.empty()) no_suite(suite, !candidates.empty());
  return archive;
}

std::set<std::string> keyrings(const std::vector<apt::Source>& sources) {
  std::set<std::string> out;
  for (const auto& source : sources)
    if (source.signed_by.starts_with('/') && source.signed_by.find_first_of(", \n") == std::string::npos)
      out.insert(source.signed_by);
  return out;
}

std::string joined(const std::set<std::string>& parts, const std::string& separator) {
  std::string out;
  for (const auto& part : parts) out += (out.empty() ? "" : separator) + part;
  return out;
}

std::vector<std::string> arguments(const std::string& suite, const Archive& archive, std::vector<std::string> packages,
                                   const fs::path& directory) {
  bool secure = std::any_of(archive.sources.begin(), archive.sources.end(),
                            [](const auto& source) { return source.uri.starts_with("https:"); });
  if (secure) packages.push_back("ca-certificates");
  auto file = directory / "debian.sources";
  write_file(file, apt::to_deb822(archive.sources), 0644);
  std::vector<std::string> out{"--variant=minbase",
                               "--mode=root",
                               "--format=tar",
                               "--dpkgopt=force-unsafe-io",
                               "--skip=chroot/policy-rc.d",
                               std::string("--essential-hook=") + kPolicyHook,
                               std::string("--customize-hook=") + kBootstrapHook};
  auto dump = run_captured({.argv = {"apt-config", "dump"}}).out;
  for (const auto& option : apt::needed_options(dump)) out.push_back("--aptopt=" + option);
  for (const auto& package : packages) out.push_back("--include=" + package);
  out.insert(out.end(), {suite, "-", file.string()});
  return out;
}

std::string origin(const std::string& suite, const Archive& archive) {
  auto keys = joined(keyrings(archive.sources), ", ");
  return "Debian archive, suite " + suite + (archive.codename == suite ? "" : " (" + archive.codename + ")") +
         ", verified by apt with " + (keys.empty() ? "its trusted keys" : keys);
}

oci::ImageConfig config_of(const std::string& suite, const Archive& archive, const std::string& packages) {
  auto created = to_rfc3339(Timestamp(std::chrono::seconds(archive.date)));
  oci::ImageConfig config;
  config.created = created;
  config.architecture = architecture();
  config.config.Env = {kPath};
  config.config.Cmd = std::vector<std::string>{"bash"};
  config.config.Labels = {{kOriginLabel, origin(suite, archive)}, {kPackagesLabel, packages}};
  config.history.push_back({.created = created, .created_by = "gantry image bootstrap debian:" + suite});
  return config;
}

std::string unpack(ImageStore& images, ImageStore::Lease& lease, Mmdebstrap& running) {
  try {
    auto diff_id = images.import_layer(running.output(), lease, running.progress());
    running.finish();
    return diff_id;
  } catch (const Error& error) {
    // A tar that ends early is only a symptom; mmdebstrap knows the cause.
    running.rethrow();
    if (error.kind() == ErrorKind::invalid) running.finish();
    throw;
  }
}

}  // namespace

ImageInfo bootstrap(ImageStore& images, const std::string& name, const std::vector<std::string>& extra_packages,
                    const fs::path& scratch_dir, const ProgressSink& progress) {
  auto suite = suite_of(name);
  require_package_names(extra_packages);
  // apt's download user must be able to look in.
  TemporaryDirectory scratch(scratch_dir, "bootstrap-");
  fs::permissions(scratch.path(), fs::perms(0711));
  if (progress) progress({suite, "looking at the archive", 0, 0});
  auto archive = look_up(suite, apt::choose(apt::read_sources("/etc/apt"), suite), scratch.path());

  auto lease = images.lease();
  std::string diff_id;
  {
    Mmdebstrap running(arguments(suite, archive, extra_packages, scratch.path()),
                       {"TMPDIR=" + scratch.path().string(), "SOURCE_DATE_EPOCH=" + std::to_string(archive.date),
                        "GANTRY_KEYS=" + joined(keyrings(archive.sources), " "), "LC_ALL=C.UTF-8"},
                       suite, progress);
    diff_id = unpack(images, *lease, running);
  }
  auto status = read_file(images.layer_path(diff_id) / "var/lib/dpkg/status");
  auto packages = images.write_blob(apt::installed_packages(status), *lease);
  return images.commit_image({diff_id}, config_of(suite, archive, packages.str()), name);
}

}  // namespace gantry::image
