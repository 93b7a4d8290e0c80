#include "remote_file.h"

#include <fcntl.h>
#include <unistd.h>

#include "gantry/base/files.h"
#include "gantry/base/ids.h"

namespace gantry::api::docker {

task<std::shared_ptr<Fd>> fetch_file(Services& services, std::string url) {
  if (!url.starts_with("http://") && !url.starts_with("https://"))
    throw Error(ErrorKind::invalid, "cannot fetch " + url, "give an http or https address");
  auto file = services.parts.scratch_dir / ("remote-" + random_hex(16));
  std::exception_ptr failure;
  try {
    co_await services.parts.registry.fetch(url, file);
  } catch (...) {
    failure = std::current_exception();
  }
  auto open = [file, failure] {
    std::shared_ptr<Fd> out;
    if (!failure) out = std::make_shared<Fd>(open_file(file.string(), O_RDONLY));
    ::unlink(file.c_str());
    return out;
  };
  auto out = co_await services.pool().run(open);
  if (failure) std::rethrow_exception(failure);
  co_return out;
}

}  // namespace gantry::api::docker
