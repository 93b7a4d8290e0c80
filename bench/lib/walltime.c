/* walltime COUNT COMMAND...: runs it so often, one after another, and prints each wall time in microseconds. */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char** environ;

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000LL + time.tv_nsec / 1000;
}

int main(int count, char** words) {
  if (count < 3) return 2;
  posix_spawn_file_actions_t quiet;
  posix_spawn_file_actions_init(&quiet);
  posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
  for (int i = atoi(words[1]); i > 0; --i) {
    long long start = now();
    pid_t pid;
    int status = 0;
    if (posix_spawnp(&pid, words[2], &quiet, NULL, words + 2, environ) != 0 || waitpid(pid, &status, 0) != pid) return 1;
    if (status != 0) return 1;
    printf("%lld\n", now() - start);
  }
  return 0;
}
