#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "check.h"

namespace gantry::compose {

/// The rules for one service by itself.
void check_service(const Service& service, const std::string& path, std::vector<Problem>& out);

bool is_address(const std::string& text);
bool is_ipv4(const std::string& text);
bool is_ipv6(const std::string& text);
/// ADDRESS/LENGTH.
bool is_subnet(const std::string& text);

}  // namespace gantry::compose
