/* Prints what a program finds itself in, one fact a line: the first word says what the fact is about.
   probe key NAME: whether a key is within reach. probe watch SECONDS: what other processes of the container may do. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

extern char** environ;

static void copy(const char* subject, const char* path) {
  char line[4096];
  FILE* file = fopen(path, "r");
  if (file == NULL) {
    printf("%s cannot be read: %s\n", subject, strerror(errno));
    return;
  }
  while (fgets(line, sizeof line, file) != NULL) printf("%s %s", subject, line);
  fclose(file);
}

static void fields(const char* path, const char* const* wanted) {
  char line[4096];
  FILE* file = fopen(path, "r");
  while (file != NULL && fgets(line, sizeof line, file) != NULL)
    for (const char* const* name = wanted; *name != NULL; ++name)
      if (strncmp(line, *name, strlen(*name)) == 0) printf("status %s", line);
  if (file != NULL) fclose(file);
}

/* Without ids and numbers of devices, which are of one boot. */
static void mounts(void) {
  char line[8192];
  FILE* file = fopen("/proc/self/mountinfo", "r");
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    char root[4096], target[4096], options[1024], type[256], source[1024], super[4096];
    char* rest = strstr(line, " - ");
    if (sscanf(line, "%*d %*d %*s %4095s %4095s %1023s", root, target, options) != 3 || rest == NULL) continue;
    if (sscanf(rest, " - %255s %1023s %4095s", type, source, super) != 3) continue;
    int shared = strstr(line, " shared:") != NULL || strstr(line, " master:") != NULL;
    printf("mount %s root=%s options=%s type=%s source=%s super=%s%s\n", target, root, options, type, source, super,
           shared ? " PROPAGATES" : "");
  }
  if (file != NULL) fclose(file);
}

static void tree(const char* path) {
  DIR* directory = opendir(path);
  if (directory == NULL) return;
  for (struct dirent* entry; (entry = readdir(directory)) != NULL;) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    char child[4096], target[4096] = "";
    snprintf(child, sizeof child, "%s/%s", path, entry->d_name);
    struct stat info;
    if (lstat(child, &info) < 0) continue;
    if (S_ISLNK(info.st_mode)) {
      ssize_t length = readlink(child, target, sizeof target - 1);
      target[length > 0 ? length : 0] = 0;
    }
    printf("dev %s mode=%o owner=%u:%u device=%u:%u %s\n", child, info.st_mode, info.st_uid, info.st_gid,
           major(info.st_rdev), minor(info.st_rdev), target);
    if (S_ISDIR(info.st_mode)) tree(child);
  }
  closedir(directory);
}

static void descriptors(void) {
  for (int fd = 0; fd < 1024; ++fd) {
    struct stat info;
    if (fstat(fd, &info) < 0) continue;
    printf("descriptor %d type=%o\n", fd, info.st_mode & S_IFMT);
  }
}

static void limits(void) {
  for (int resource = 0; resource < RLIM_NLIMITS; ++resource) {
    struct rlimit limit;
    if (getrlimit(resource, &limit) == 0)
      printf("rlimit %d %llu %llu\n", resource, (unsigned long long)limit.rlim_cur, (unsigned long long)limit.rlim_max);
  }
}

static void identity(void) {
  gid_t groups[64];
  int count = getgroups(64, groups);
  printf("ids %u %u %u %u\n", getuid(), geteuid(), getgid(), getegid());
  for (int i = 0; i < count; ++i) printf("group %u\n", groups[i]);
  char host[256] = "", place[4096] = "";
  gethostname(host, sizeof host - 1);
  printf("hostname %s\n", host);
  printf("cwd %s\n", getcwd(place, sizeof place) != NULL ? place : strerror(errno));
  mode_t mask = umask(0);
  printf("umask %o\n", mask);
  printf("session leads=%d group-leads=%d terminal=%d\n", getsid(0) == getpid(), getpgrp() == getpid(), isatty(0));
  int death = 0;
  prctl(PR_GET_PDEATHSIG, &death);
  printf("prctl death=%d dumpable=%d securebits=%d keepcaps=%d slack=%d\n", death, prctl(PR_GET_DUMPABLE),
         prctl(PR_GET_SECUREBITS), prctl(PR_GET_KEEPCAPS), prctl(PR_GET_TIMERSLACK));
  printf("nice %d\n", getpriority(PRIO_PROCESS, 0));
}

static int look_for_key(const char* name) {
  long found = syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", name, 0);
  printf("key %s\n", found >= 0 ? "found" : strerror(errno));
  return 0;
}

static unsigned long long permitted(const char* process) {
  char path[300], line[4096];
  unsigned long long mask = 0;
  snprintf(path, sizeof path, "/proc/%s/status", process);
  FILE* file = fopen(path, "r");
  while (file != NULL && fgets(line, sizeof line, file) != NULL) sscanf(line, "CapPrm:%llx", &mask);
  if (file != NULL) fclose(file);
  return mask;
}

/* What it holds and we could take: files and directories, but for devices. */
static int look_at_descriptors(const char* process) {
  char path[300], target[4096];
  int told = 0;
  snprintf(path, sizeof path, "/proc/%s/fd", process);
  DIR* directory = opendir(path);
  for (struct dirent* entry; directory != NULL && (entry = readdir(directory)) != NULL;) {
    snprintf(path, sizeof path, "/proc/%s/fd/%.20s", process, entry->d_name);
    ssize_t length = readlink(path, target, sizeof target - 1);
    if (length <= 0) continue;
    target[length] = 0;
    if (target[0] == '/' && strncmp(target, "/dev/", 5) != 0) told += printf("more %s\n", target) > 0;
  }
  if (directory != NULL) closedir(directory);
  return told;
}

/* One that can do more than we can, holds what we do not, or whose program is none of the image's. */
static void look_at(const char* process, unsigned long long own) {
  static int told = 0;
  if (told > 20) return;
  char path[300], program[4096];
  unsigned long long mask = permitted(process);
  if ((mask & ~own) != 0) told += printf("more %llx\n", mask) > 0;
  if (atoi(process) != getpid()) told += look_at_descriptors(process);
  snprintf(path, sizeof path, "/proc/%s/exe", process);
  ssize_t length = readlink(path, program, sizeof program - 1);
  if (length <= 0) return;
  program[length] = 0;
  if (strncmp(program, "/bin/", 5) != 0) told += printf("seen %s\n", program) > 0;
}

static volatile sig_atomic_t told_to_end;

static void end(int number) { told_to_end = number; }

/* Until SIGTERM, or when nobody sends it. */
static int watch(int seconds) {
  signal(SIGTERM, end);
  unsigned long long own = permitted("self");
  for (time_t last = time(NULL) + seconds; time(NULL) < last && !told_to_end;) {
    DIR* directory = opendir("/proc");
    for (struct dirent* entry; directory != NULL && (entry = readdir(directory)) != NULL;)
      if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9') look_at(entry->d_name, own);
    if (directory != NULL) closedir(directory);
  }
  puts("watched");
  return 0;
}

int main(int count, char** words) {
  if (count == 3 && strcmp(words[1], "key") == 0) return look_for_key(words[2]);
  if (count == 3 && strcmp(words[1], "watch") == 0) return watch(atoi(words[2]));
  for (int i = 0; i < count; ++i) printf("arg %d %s\n", i, words[i]);
  for (char** entry = environ; *entry != NULL; ++entry) printf("env %s\n", *entry);
  identity();
  descriptors();
  const char* const wanted[] = {"Cap", "NoNewPrivs", "Seccomp", "SigBlk", "SigIgn", "SigCgt", "NSpid", "Groups", NULL};
  fields("/proc/self/status", wanted);
  limits();
  copy("uid_map", "/proc/self/uid_map");
  copy("gid_map", "/proc/self/gid_map");
  copy("setgroups", "/proc/self/setgroups");
  copy("cgroup", "/proc/self/cgroup");
  copy("oom", "/proc/self/oom_score_adj");
  copy("sysctl.port", "/proc/sys/net/ipv4/ip_unprivileged_port_start");
  copy("sysctl.ping", "/proc/sys/net/ipv4/ping_group_range");
  copy("sysctl.msgmax", "/proc/sys/kernel/msgmax");
  mounts();
  tree("/dev");
  return 0;
}
