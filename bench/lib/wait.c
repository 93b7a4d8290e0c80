/* Waits until it is asked to end, and obeys: process 1 dies of no signal it does not handle. */
#include <signal.h>
#include <unistd.h>

static void end(int number) {
  (void)number;
  _exit(0);
}

int main(void) {
  signal(SIGTERM, end);
  for (;;) pause();
}
