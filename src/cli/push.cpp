#include "push.h"

#include "api.h"
#include "credentials.h"
#include "pull.h"

namespace gantry::cli {

task<boost::json::value> push_image(Context& context, std::string reference, Progress& progress) {
  boost::json::object body;
  body["reference"] = reference;
  http::ClientRequest post;
  post.method = "POST";
  post.path = "/v1/images/push";
  post.body = boost::json::serialize(body);
  if (auto login = CredentialFile(context.environment).find(registry_of(reference)))
    post.headers.add("X-Registry-Auth", auth_header(*login));
  auto step = [&progress](const boost::json::value& value) { progress.update(transfer_item(value)); };
  auto response = co_await context.client.open(std::move(post));
  co_return co_await api::follow(std::move(response), step);
}

}  // namespace gantry::cli
