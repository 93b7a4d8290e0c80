#pragma once

#include <gtest/gtest.h>

#include "gantry/base/error.h"

namespace gantry {

/// The Error that `action` throws; that it throws none fails the test.
template <class F>
Error error_of(F action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "expected an error";
  return Error(ErrorKind::internal, "none");
}

}  // namespace gantry
