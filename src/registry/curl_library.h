#pragma once

#include <curl/curl.h>

namespace gantry::registry {

/// libcurl, loaded when the first request to a registry is made: with what it brings along it takes 8 MB of memory and
/// 30 shared libraries, which a daemon that only runs containers does without.
struct CurlLibrary {
  decltype(&::curl_global_init) global_init;
  decltype(&::curl_easy_init) easy_init;
  decltype(&::curl_easy_cleanup) easy_cleanup;
  decltype(&::curl_easy_reset) easy_reset;
  decltype(&::curl_easy_setopt) easy_setopt;
  decltype(&::curl_easy_getinfo) easy_getinfo;
  decltype(&::curl_easy_perform) easy_perform;
  decltype(&::curl_easy_strerror) easy_strerror;
  decltype(&::curl_slist_append) slist_append;
  decltype(&::curl_slist_free_all) slist_free_all;
};

/// Thread-safe. Error unavailable names the package that is missing.
const CurlLibrary& curl();

}  // namespace gantry::registry
