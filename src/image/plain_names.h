#pragma once

#include <locale.h>

namespace gantry::image {

/// Names in archives are bytes. With a UTF-8 locale libarchive would bring the names of PAX archives into Unicode's
/// composed form, which makes them other names; with the "C" locale it hands them over as they are. Only this thread.
class PlainNames {
 public:
  PlainNames() : locale_(::newlocale(LC_ALL_MASK, "C", nullptr)), previous_(::uselocale(locale_)) {}
  PlainNames(const PlainNames&) = delete;
  PlainNames& operator=(const PlainNames&) = delete;
  ~PlainNames() {
    ::uselocale(previous_);
    ::freelocale(locale_);
  }

 private:
  locale_t locale_;
  locale_t previous_;
};

}  // namespace gantry::image
