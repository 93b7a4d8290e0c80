#pragma once

#include <string>

#include "gantry/base/error.h"

namespace gantry::distribution {

/// The error codes of the OCI distribution specification 1.1 ("Error Codes") that a registry answers with.
enum class Code {
  BLOB_UNKNOWN,
  BLOB_UPLOAD_INVALID,
  BLOB_UPLOAD_UNKNOWN,
  DIGEST_INVALID,
  MANIFEST_BLOB_UNKNOWN,
  MANIFEST_INVALID,
  MANIFEST_UNKNOWN,
  NAME_INVALID,
  NAME_UNKNOWN,
  SIZE_INVALID,
  UNAUTHORIZED,
  DENIED,
  UNSUPPORTED,
  TOOMANYREQUESTS,
  UNKNOWN,  ///< ours: a failure that the specification has no word for
};

std::string_view to_string(Code code);

/// An Error with the code that clients of registries look at. Its kind gives the HTTP status.
class RegistryError : public Error {
 public:
  RegistryError(Code code, ErrorKind kind, std::string message, std::string fix = {})
      : Error(kind, std::move(message), std::move(fix)), code_(code) {}
  Code code() const { return code_; }

 private:
  Code code_;
};

/// The range of an upload does not begin where the upload stands: HTTP status 416.
class RangeError : public RegistryError {
 public:
  explicit RangeError(const std::string& message)
      : RegistryError(Code::BLOB_UPLOAD_INVALID, ErrorKind::invalid, message,
                      "ask where the upload stands, and go on from there") {}
};

}  // namespace gantry::distribution
