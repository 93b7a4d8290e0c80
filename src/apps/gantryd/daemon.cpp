#include "daemon.h"

#include <fcntl.h>
#include <malloc.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <unistd.h>

#include <csignal>
#include <memory>

#include "build_remote.h"
#include "gantry/api/access.h"
#include "gantry/api/api.h"
#include "gantry/api/audit.h"
#include "gantry/base/files.h"
#include "gantry/base/http_server.h"
#include "gantry/base/log.h"
#include "gantry/build/builder.h"
#include "gantry/content/content_store.h"
#include "gantry/disk/keeper.h"
#include "gantry/distribution/mirror.h"
#include "gantry/engine/build_executor.h"
#include "gantry/engine/engine.h"
#include "gantry/host/checks.h"
#include "gantry/image/image_store.h"
#include "gantry/network/network_manager.h"
#include "gantry/platform/stack_manager.h"
#include "gantry/registry/registry.h"
#include "gantry/runtime/runtime.h"
#include "gantry/store/store.h"
#include "gantry/volume/volume_store.h"
#include "instance.h"
#include "memory_dir.h"

namespace gantry::daemon {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kWorkers = 8;
// Threads of images and archives on their way from and to clients.
constexpr std::size_t kTransfers = 256;

std::vector<store::Schema> schemas() {
  return {image::schema(),  volume::schema(),   network::schema(),     build::schema(),
          engine::schema(), platform::schema(), distribution::schema()};
}

void require_host(const Options& options) {
  std::vector<gantry::Finding> missing;
  for (const auto& finding : host::check_host({options.data_dir, options.run_dir}))
    if (finding.verdict == host::Verdict::failure)
      missing.push_back({.place = {}, .message = finding.check + ": " + finding.found + "; " + finding.fix});
  if (!missing.empty())
    throw Error(ErrorKind::unavailable, "this host cannot run containers yet", std::move(missing),
                "run 'gantry doctor'");
}

// Many containers need many descriptors. The soft limit may always be raised to the hard one.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) < 0) log::warn("the limit of open files stays where it is");
}

// 0.0.0.0 says what the engine knows as no address: every one, IPv6 included.
std::string publish_address(const Options& options) {
  return options.publish_address == "0.0.0.0" || options.publish_address == "::" ? "" : options.publish_address;
}

http::TlsEndpoint tls_endpoint(const Options& options) {
  auto [address, port] = parse_endpoint("--docker-tls", options.docker_tls);
  return {.address = address,
          .port = port,
          .certificate = options.tls_certificate,
          .key = options.tls_key,
          .authority = options.tls_authority};
}

// Everything the daemon is made of, bottom to top; destroyed top to bottom.
struct Daemon {
  Daemon(const Options& options, asio::any_io_executor executor)
      : data_lock(claim(options.data_dir, 0711)),
        run_lock(claim(options.run_dir, 0755)),
        instance(instance_name(options.data_dir)),
        pool(kWorkers),
        transfers(kTransfers),
        database(options.data_dir / "gantry.db", schemas()),
        content(options.data_dir / "content"),
        images(database, content, options.data_dir / "layers", options.run_dir / "layers"),
        volumes(database, options.data_dir / "volumes"),
        networks(executor, pool, database, instance),
        runtime(executor, pool,
                {.shim = find_own_program("gantry-shim"),
                 .crun = host::find_program("crun"),
                 .init = host::find_program("catatonit"),
                 .run_dir = options.run_dir,
                 .instance = instance,
                 .native_obstacle = runtime::find_native_obstacle()}),
        engine({executor, pool, transfers, database, images, networks, volumes, runtime, {}, publish_address(options)},
               options.data_dir, options.run_dir),
        build_executor(engine),
        vouchers(std::make_shared<image::Vouchers>()),
        registry(executor, images, {.mirrors = options.registry_mirrors, .vouchers = vouchers}),
        build_remote(registry),
        builder(pool, database, images, build_executor, options.data_dir / "build", &build_remote,
                memory_dir(options.run_dir, instance)),
        stacks(executor, database, engine),
        distribution(database, images, distribution_options(options.registry, options.data_dir, vouchers)),
        mirror(distribution, make_proxies(options.registry.proxy, options.registry.listen),
               mirror_options(options.registry.proxy)),
        disk(engine, builder, distribution, mirror, options.data_dir, options.budgets),
        authenticator(engine, options.run_dir),
        authorizer(options.group),
        api({.executor = executor,
             .engine = engine,
             .stacks = stacks,
             .builder = builder,
             .registry = registry,
             .distribution = distribution,
             .mirror = mirror,
             .disk = disk,
             .daemon = {.version = GANTRY_VERSION,
                        .instance = instance,
                        .data_dir = options.data_dir,
                        .run_dir = options.run_dir},
             .registry_htpasswd = options.registry.htpasswd,
             .scratch_dir = options.data_dir / "scratch"},
            authenticator, authorizer, audit),
        server(executor, api.handler()),
        docker_server(executor, api.docker_handler()),
        registry_server(executor, api.registry_handler()),
        upkeep(executor),
        registry_options(options.registry) {
    if (!options.docker_tls.empty()) tls = tls_endpoint(options);
  }

  task<> start(fs::path data_dir, fs::path run_dir);
  task<> collect_hourly();
  std::optional<http::TlsEndpoint> tls;
  task<> stop();

  Fd data_lock;
  Fd run_lock;
  std::string instance;
  WorkerPool pool;
  TransferLimit transfers;
  store::Database database;
  content::ContentStore content;
  image::ImageStore images;
  volume::VolumeStore volumes;
  network::NetworkManager networks;
  runtime::Runtime runtime;
  engine::Engine engine;
  engine::BuildExecutor build_executor;
  std::shared_ptr<image::Vouchers> vouchers;
  registry::Registry registry;
  BuildRemote build_remote;
  build::Builder builder;
  platform::StackManager stacks;
  distribution::Distribution distribution;
  distribution::Mirror mirror;
  disk::Keeper disk;
  api::SocketAuthenticator authenticator;
  api::LocalAuthorizer authorizer;
  api::LogAudit audit;
  api::Api api;
  http::Server server;
  http::Server docker_server;
  http::Server registry_server;
  Scope upkeep;
  RegistryOptions registry_options;
};

task<> Daemon::collect_hourly() {
  constexpr std::chrono::hours kPause{1};
  while (true) {
    co_await sleep_for(kPause);
    auto work = [this] { distribution.collect(false); };
    co_await pool.run(std::move(work));
  }
}

task<> Daemon::start(fs::path data_dir, fs::path run_dir) {
  auto scratch = data_dir / "scratch";
  remove_tree(scratch);  // what a bootstrap that was killed left
  make_directories(scratch, 0711);
  content.recover();
  images.recover();
  distribution.recover();
  mirror.recover();
  volumes.recover();
  co_await engine.recover();
  builder.recover();
  co_await stacks.recover();
  disk.begin(co_await asio::this_coro::executor);
  http::UnixEndpoint endpoint{.path = run_dir / "gantry.sock", .mode = 0660, .group = authorizer.group_id()};
  server.listen(std::move(endpoint));
  http::UnixEndpoint docker{.path = run_dir / "docker.sock", .mode = 0660, .group = authorizer.group_id()};
  docker_server.listen(std::move(docker));
  if (tls) {
    auto port = docker_server.listen(*tls);
    log::info("Docker Engine API over TLS on {} port {}", tls->address, port);
  }
  if (!registry_options.listen.empty()) {
    auto port = listen(registry_server, registry_options);
    upkeep.spawn("collect what the registry does not need", collect_hourly());
    log::info("registry on {}, port {}", registry_options.listen, port);
  }
  ::malloc_trim(0);  // what recovery needed for a moment
  forget_start_pages();
  log::info("ready: instance {}, API on {}, Docker Engine API on {}", instance, (run_dir / "gantry.sock").string(),
            (run_dir / "docker.sock").string());
  notify_ready();
}

task<> Daemon::stop() {
  mirror.stop();  // readers of what it fetches wait on threads of their own
  co_await server.close();
  co_await docker_server.close();
  co_await registry_server.close();
  co_await upkeep.close();
  co_await api.close();
  co_await registry.close();
  co_await disk.close();
  co_await stacks.close();
  engine::ContainerFilter running;
  running.all = false;
  bool idle = engine.list(running).empty();
  co_await engine.close();
  if (idle) {
    // Nothing runs: leave the host as it was found. The next start makes what it needs again.
    co_await networks.remove_all();
    runtime.cleanup_instance();
  } else {
    co_await networks.close();
  }
}

// Where the kernel groups processes by session (sched(7), autogroup), each program of a burst weighs as much as the
// whole daemon, and answers come late. Only for a session of our own; refused without CAP_SYS_NICE.
void come_before_programs() {
  if (::getsid(0) != ::getpid()) return;
  try {
    write_file("/proc/self/autogroup", "-10");
  } catch (const Error& error) {
    log::debug("no higher weight for the daemon: {}", error.message());
  }
}

task<> serve(Daemon* daemon, fs::path data_dir, fs::path run_dir) {
  co_await daemon->start(std::move(data_dir), std::move(run_dir));
  asio::signal_set signals(co_await asio::this_coro::executor, SIGTERM, SIGINT);
  int number = co_await signals.async_wait(asio::use_awaitable);
  log::info("ending: {}; running containers go on", number == SIGINT ? "SIGINT" : "SIGTERM");
  co_await daemon->stop();
}

}  // namespace

void run(const Options& options) {
  ::umask(0022);
  std::signal(SIGPIPE, SIG_IGN);
  // One arena: the few threads rarely allocate at once, and every arena keeps memory for itself.
  ::mallopt(M_ARENA_MAX, 1);
  ::mallopt(M_TRIM_THRESHOLD, 256 << 10);
  require_safe(options.registry);
  require_host(options);
  raise_descriptor_limit();
  come_before_programs();
  asio::io_context context(1);
  auto daemon = std::make_unique<Daemon>(options, context.get_executor());
  std::exception_ptr failure;
  asio::co_spawn(context, serve(daemon.get(), options.data_dir, options.run_dir), [&](std::exception_ptr ended) {
    failure = ended;
    context.stop();
  });
  context.run();
  if (failure) {
    // Tasks may still refer to it; the process ends now, and the next start picks up whatever was going on.
    (void)daemon.release();
    std::rethrow_exception(failure);
  }
  (void)::unlink((options.run_dir / "lock").c_str());
}

}  // namespace gantry::daemon
