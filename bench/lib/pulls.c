/* pulls PORT CLIENTS SECONDS PATH...: so many clients of 127.0.0.1:PORT at once. Each fetches all paths, one after another on a
 * connection of its own, closes it, and begins again, as clients that pull do. Prints pulls, bytes of bodies and the
 * microseconds all of it took in one line, then the microseconds of each pull. */
#define _GNU_SOURCE /* strcasestr */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { kMost = 200000, kBuffer = 256 << 10 };

static int port;
static char** paths;
static long long deadline;

struct client {
  pthread_t thread;
  long long bytes;
  long count, room;
  int* times;
};

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000LL + time.tv_nsec / 1000;
}

static void fail(const char* what) {
  fprintf(stderr, "%s: %s\n", what, errno != 0 ? strerror(errno) : "unexpected answer");
  exit(1);
}

static int connect_to(void) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
  if (fd < 0 || connect(fd, (struct sockaddr*)&address, sizeof address) < 0) fail("connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  return fd;
}

/* Bytes of the body. */
static long long fetch(int fd, const char* path, char* buffer) {
  int size = snprintf(buffer, kBuffer,
                      "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept: application/vnd.oci.image.manifest.v1+json, */*\r\n\r\n", path, port);
  if (write(fd, buffer, size) != size) fail("write");
  size = 0;
  char* end = NULL;
  while (end == NULL) {
    ssize_t n = read(fd, buffer + size, kBuffer - 1 - size);
    if (n <= 0) fail("read a head");
    size += n;
    buffer[size] = 0;
    end = strstr(buffer, "\r\n\r\n");
  }
  char* length = strcasestr(buffer, "\r\ncontent-length:");
  errno = 0;
  if (strncmp(buffer, "HTTP/1.1 200", 12) != 0 || length == NULL || length > end) {
    fprintf(stderr, "%.200s\n", buffer);
    fail(path);
  }
  long long total = atoll(length + 17), left = total - (size - (end + 4 - buffer));
  while (left > 0) {
    ssize_t n = read(fd, buffer, left < kBuffer ? left : kBuffer);
    if (n <= 0) fail("read a body");
    left -= n;
  }
  return total;
}

static void* work(void* given) {
  struct client* client = given;
  char* buffer = malloc(kBuffer);
  for (long long began = now(); began < deadline; began = now()) {
    int fd = connect_to();
    for (char** path = paths; *path != NULL; ++path) client->bytes += fetch(fd, *path, buffer);
    close(fd);
    if (client->count < client->room) client->times[client->count] = now() - began;
    ++client->count;
  }
  free(buffer);
  return NULL;
}

int main(int count, char** words) {
  if (count < 5) return 2;
  port = atoi(words[1]);
  int clients = atoi(words[2]);
  paths = words + 4;
  long long began = now(), bytes = 0;
  deadline = began + atoll(words[3]) * 1000000;
  struct client* all = calloc(clients, sizeof *all);
  for (int i = 0; i < clients; ++i) {
    all[i].room = kMost / clients;
    all[i].times = malloc(all[i].room * sizeof(int));
    if (pthread_create(&all[i].thread, NULL, work, &all[i]) != 0) fail("start a thread");
  }
  long pulls = 0;
  for (int i = 0; i < clients; ++i) {
    pthread_join(all[i].thread, NULL);
    pulls += all[i].count;
    bytes += all[i].bytes;
  }
  printf("%ld %lld %lld\n", pulls, bytes, now() - began);
  for (int i = 0; i < clients; ++i)
    for (long n = 0; n < all[i].count && n < all[i].room; ++n) printf("%d\n", all[i].times[n]);
  return 0;
}
