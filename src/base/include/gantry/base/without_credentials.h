#pragma once

#include <string>

namespace gantry {

/// An address without the user and password in front of its host ("https://u:p@host/x" is "https://host/x"), for what
/// is shown or kept. What has no scheme ("git@host:x") stays as it is.
std::string without_credentials(const std::string& url);

}  // namespace gantry
