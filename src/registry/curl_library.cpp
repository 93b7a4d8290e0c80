#include "curl_library.h"

#include <dlfcn.h>

#include <string>

#include "gantry/base/error.h"

// curl.h makes macros of these, which check types and would call the function by its name.
#undef curl_easy_setopt
#undef curl_easy_getinfo

namespace gantry::registry {
namespace {

constexpr char kName[] = "libcurl.so.4";
constexpr char kFix[] = "install the package libcurl4";

template <class F>
void find(void* library, const char* name, F& out) {
  void* found = ::dlsym(library, name);
  if (found == nullptr) throw Error(ErrorKind::unavailable, std::string(kName) + " has no function " + name, kFix);
  out = reinterpret_cast<F>(found);
}

CurlLibrary load() {
  void* library = ::dlopen(kName, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* why = ::dlerror();
    throw Error(ErrorKind::unavailable, std::string("registries cannot be reached: ") + (why != nullptr ? why : kName),
                kFix);
  }
  CurlLibrary out{};
  find(library, "curl_global_init", out.global_init);
  find(library, "curl_easy_init", out.easy_init);
  find(library, "curl_easy_cleanup", out.easy_cleanup);
  find(library, "curl_easy_reset", out.easy_reset);
  find(library, "curl_easy_setopt", out.easy_setopt);
  find(library, "curl_easy_getinfo", out.easy_getinfo);
  find(library, "curl_easy_perform", out.easy_perform);
  find(library, "curl_easy_strerror", out.easy_strerror);
  find(library, "curl_slist_append", out.slist_append);
  find(library, "curl_slist_free_all", out.slist_free_all);
  if (out.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    throw Error(ErrorKind::internal, std::string(kName) + " cannot be initialised");
  return out;
}

}  // namespace

const CurlLibrary& curl() {
  static const CurlLibrary library = load();
  return library;
}

}  // namespace gantry::registry
