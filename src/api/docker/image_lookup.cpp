#include "image_lookup.h"

namespace gantry::api::docker {

oci::Reference parse_reference(const std::string& text) {
  try {
    return oci::Reference::parse(text);
  } catch (const Error& error) {
    throw Error(ErrorKind::invalid, "invalid reference format: " + error.message());
  }
}

void rethrow_lookup(const Error& error, const std::string& reference) {
  if (error.kind() == ErrorKind::invalid && error.message().starts_with("image reference"))
    throw Error(ErrorKind::invalid, "invalid reference format: " + error.message());
  if (error.kind() != ErrorKind::not_found || !error.message().starts_with("image \"")) throw error;
  std::string shown = reference;
  try {
    shown = oci::Reference::parse(reference).familiar();
  } catch (const Error&) {
    // An id is shown as it was given.
  }
  throw Error(ErrorKind::not_found, "No such image: " + shown);
}

task<image::ImageInfo> find_image(Services& services, std::string reference) {
  auto& images = services.engine().images();
  auto read = [&images, reference] { return images.resolve(reference); };
  auto info = co_await with_image(services, reference, read);
  co_return info;
}

}  // namespace gantry::api::docker
