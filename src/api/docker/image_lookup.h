#pragma once

#include "routes.h"

namespace gantry::api::docker {

/// A reference as clients give it. Error (invalid) "invalid reference format", which they look for.
oci::Reference parse_reference(const std::string& text);
/// "No such image: busybox:latest" when the failure says that an image is not there; any other as it is.
[[noreturn]] void rethrow_lookup(const Error& error, const std::string& reference);

/// Runs `work`, which looks `reference` up in the image store, on the pool; what is not there is said in Docker's
/// words.
template <class F>
task<std::invoke_result_t<F>> with_image(Services& services, std::string reference, F work) {
  gantry::detail::Outcome<std::invoke_result_t<F>> outcome;
  co_await gantry::detail::settle<std::invoke_result_t<F>>(services.pool().run(std::move(work)), &outcome);
  if (outcome.failure) {
    auto error = to_error(outcome.failure);
    rethrow_lookup(error, reference);
  }
  if constexpr (!std::is_void_v<std::invoke_result_t<F>>) co_return std::move(*outcome.value);
}

task<image::ImageInfo> find_image(Services& services, std::string reference);

}  // namespace gantry::api::docker
