#include "gantry/registry/registry.h"

#include <malloc.h>

#include <map>
#include <set>

#include "answers.h"
#include "copy.h"
#include "discovery.h"
#include "download.h"
#include "gantry/base/log.h"
#include "job.h"
#include "pull.h"
#include "push.h"
#include "remote.h"
#include "repair.h"
#include "sign_in.h"

namespace gantry::registry {

struct Registry::Impl : std::enable_shared_from_this<Impl> {
  Impl(asio::any_io_executor executor_in, image::ImageStore& images_in, Options options_in)
      : executor(std::move(executor_in)), images(images_in), options(std::move(options_in)) {}

  template <class R>
  std::shared_ptr<Job<R>> start(std::function<R(Job<R>&)> work) {
    if (closing) throw Error(ErrorKind::unavailable, "the daemon is stopping", "try again when it is back");
    auto job = std::make_shared<Job<R>>(executor);
    jobs.insert(job);
    auto self = shared_from_this();
    job->thread = std::thread([self, job, work = std::move(work)]() mutable {
      try {
        job->outcome.value.emplace(work(*job));
      } catch (...) {
        job->outcome.failure = std::current_exception();
      }
      work = nullptr;
      asio::post(self->executor, [self, job] { self->ended(job); });
    });
    return job;
  }

  void ended(const std::shared_ptr<AnyJob>& job) {
    job->thread.join();
    jobs.erase(job);
    std::erase_if(shared, [&](const auto& entry) { return entry.second == job; });
    job->done.set();
    if (jobs.empty()) ::malloc_trim(0);  // the buffers of the transfers
  }

  // Coroutine parameters are values; the job lives as long as somebody waits for it.
  template <class R>
  static task<R> wait(std::shared_ptr<Job<R>> job, ProgressSink progress) {
    auto listener = job->listeners.add(std::move(progress));
    ++job->waiting;
    try {
      co_await job->done.wait();
    } catch (...) {
      job->listeners.remove(listener);
      if (--job->waiting == 0) job->stop.set();
      throw;
    }
    job->listeners.remove(listener);
    --job->waiting;
    if (job->outcome.failure) std::rethrow_exception(job->outcome.failure);
    co_return *job->outcome.value;
  }

  asio::any_io_executor executor;
  image::ImageStore& images;
  Options options;
  bool closing = false;
  std::set<std::shared_ptr<AnyJob>> jobs;
  std::map<std::string, std::shared_ptr<AnyJob>> shared;  ///< pulls, by everything that makes them the same
};

namespace {

// Only work that two requests may share without one learning what the other was allowed to see.
std::string key_of(const PullRequest& request) {
  auto part = [](const std::string& text) { return std::to_string(text.size()) + ":" + text; };
  auto credentials = request.credentials.value_or(Credentials{});
  return part(oci::Reference::parse(request.reference).canonical()) +
         part(request.platform ? request.platform->str() : "") + std::to_string(static_cast<int>(request.policy)) +
         part(credentials.username) + part(credentials.password) + part(credentials.identity_token) +
         part(credentials.registry_token);
}

}  // namespace

Registry::Registry(asio::any_io_executor executor, image::ImageStore& images, Options options)
    : impl_(std::make_shared<Impl>(std::move(executor), images, std::move(options))) {}

Registry::~Registry() = default;

task<PullResult> Registry::pull(PullRequest request, ProgressSink progress) {
  auto impl = impl_;
  auto key = key_of(request);
  std::shared_ptr<Job<PullResult>> job;
  if (auto running = impl->shared.find(key); running != impl->shared.end()) {
    // A pull that is being stopped, because nobody wanted it any more, is of no use to who comes now.
    if (!running->second->stop.is_set()) job = std::dynamic_pointer_cast<Job<PullResult>>(running->second);
  }
  if (!job) {
    std::function<PullResult(Job<PullResult>&)> work = [impl, request](Job<PullResult>& self) {
      ProgressSink tell = [&self](const Progress& step) { self.listeners.tell(step); };
      return pull_image(impl->images, impl->options, request, tell, self.stop);
    };
    job = impl->start<PullResult>(std::move(work));
    impl->shared[key] = job;
  }
  co_return co_await Impl::wait<PullResult>(job, std::move(progress));
}

task<PushResult> Registry::push(PushRequest request, ProgressSink progress) {
  auto impl = impl_;
  std::function<PushResult(Job<PushResult>&)> work = [impl, request](Job<PushResult>& self) {
    ProgressSink tell = [&self](const Progress& step) { self.listeners.tell(step); };
    return push_image(impl->images, impl->options, request, tell, self.stop);
  };
  auto job = impl->start<PushResult>(std::move(work));
  co_return co_await Impl::wait<PushResult>(job, std::move(progress));
}

task<CopyResult> Registry::copy(CopyRequest request, ProgressSink progress) {
  auto impl = impl_;
  std::function<CopyResult(Job<CopyResult>&)> work = [impl, request](Job<CopyResult>& self) {
    ProgressSink tell = [&self](const Progress& step) { self.listeners.tell(step); };
    return copy_image(impl->options, request, tell, self.stop);
  };
  auto job = impl->start<CopyResult>(std::move(work));
  co_return co_await Impl::wait<CopyResult>(job, std::move(progress));
}

task<image::CheckReport> Registry::verify(VerifyRequest request, image::ProgressSink progress) {
  auto impl = impl_;
  std::function<image::CheckReport(Job<image::CheckReport>&)> work = [impl, request,
                                                                      progress](Job<image::CheckReport>& self) {
    return verify_images(impl->images, impl->options, request, progress, self.stop);
  };
  auto job = impl->start<image::CheckReport>(std::move(work));
  ProgressSink nobody;
  co_return co_await Impl::wait<image::CheckReport>(job, nobody);
}

task<std::string> Registry::login(std::string server, Credentials credentials) {
  auto impl = impl_;
  std::function<std::string(Job<std::string>&)> work = [impl, server, credentials](Job<std::string>& self) {
    return sign_in(impl->options, server, credentials, self.stop);
  };
  auto job = impl->start<std::string>(std::move(work));
  ProgressSink nobody;
  co_return co_await Impl::wait<std::string>(job, nobody);
}

task<std::vector<std::string>> Registry::tags(std::string repository, std::optional<Credentials> credentials,
                                              std::size_t limit) {
  using Tags = std::vector<std::string>;
  auto impl = impl_;
  std::function<Tags(Job<Tags>&)> work = [impl, repository, credentials, limit](Job<Tags>& self) {
    return list_tags(impl->options, repository, credentials, limit, self.stop);
  };
  auto job = impl->start<Tags>(std::move(work));
  ProgressSink nobody;
  co_return co_await Impl::wait<Tags>(job, nobody);
}

task<Described> Registry::describe(std::string reference, std::optional<Credentials> credentials) {
  auto impl = impl_;
  std::function<Described(Job<Described>&)> work = [impl, reference, credentials](Job<Described>& self) {
    return registry::describe(impl->options, reference, credentials, self.stop);
  };
  auto job = impl->start<Described>(std::move(work));
  ProgressSink nobody;
  co_return co_await Impl::wait<Described>(job, nobody);
}

task<std::vector<FoundImage>> Registry::search(std::string term, std::optional<Credentials> credentials,
                                               std::size_t limit) {
  using Found = std::vector<FoundImage>;
  auto impl = impl_;
  std::function<Found(Job<Found>&)> work = [impl, term, credentials, limit](Job<Found>& self) {
    return registry::search(impl->options, term, credentials, limit, self.stop);
  };
  auto job = impl->start<Found>(std::move(work));
  ProgressSink nobody;
  co_return co_await Impl::wait<Found>(job, nobody);
}

task<> Registry::fetch(std::string url, std::filesystem::path into) {
  auto impl = impl_;
  std::function<bool(Job<bool>&)> work = [impl, url, into](Job<bool>& self) {
    download(impl->options, url, into, self.stop);
    return true;
  };
  auto job = impl->start<bool>(std::move(work));
  ProgressSink nobody;
  co_await Impl::wait<bool>(job, nobody);
}

task<> Registry::close() {
  auto impl = impl_;
  impl->closing = true;
  for (const auto& job : impl->jobs) job->stop.set();
  while (!impl->jobs.empty()) {
    auto job = *impl->jobs.begin();
    co_await job->done.wait();
  }
}

}  // namespace gantry::registry
