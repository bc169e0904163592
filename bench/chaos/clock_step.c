/* Steps the wall clock of one process: preloaded, it adds an offset from a shared file to CLOCK_REALTIME.
 *
 * A machine's clock belongs to everybody on it, and a time namespace moves the monotonic clocks only.
 * CHAOS_CLOCK names a file with one int64, the offset in nanoseconds; whoever writes it steps the clock
 * of all processes that were started with it. Absolute time-outs on the wall clock are moved along, as
 * the kernel would. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t nothing;
static volatile int64_t *offset = &nothing;

__attribute__((constructor)) static void open_offset(void) {
  const char *path = getenv("CHAOS_CLOCK");
  int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (file < 0) return;
  void *map = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
  if (map != MAP_FAILED) offset = map;
  close(file);
}

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

static struct timespec shifted(struct timespec t, int64_t by) {
  int64_t ns = (int64_t)t.tv_sec * 1000000000 + t.tv_nsec + by;
  return (struct timespec){ns / 1000000000, ns % 1000000000};
}

int clock_gettime(clockid_t clock, struct timespec *t) {
  static int (*next)(clockid_t, struct timespec *);
  if (!next) next = real("clock_gettime");
  int result = next(clock, t);
  if (!result && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) *t = shifted(*t, *offset);
  return result;
}

int gettimeofday(struct timeval *restrict t, void *restrict zone) {
  (void)zone;
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  t->tv_sec = now.tv_sec;
  t->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *t) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (t) *t = now.tv_sec;
  return now.tv_sec;
}

/* A condition may wait on the monotonic clock, whose times are those of a machine up for years at most. */
static struct timespec deadline(const struct timespec *t) {
  return t->tv_sec > 1000000000 ? shifted(*t, -*offset) : *t;
}

int pthread_cond_timedwait(pthread_cond_t *c, pthread_mutex_t *m, const struct timespec *t) {
  static int (*next)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
  if (!next) next = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
  if (!next) next = real("pthread_cond_timedwait");
  struct timespec moved = deadline(t);
  return next(c, m, &moved);
}

int pthread_cond_clockwait(pthread_cond_t *c, pthread_mutex_t *m, clockid_t clock, const struct timespec *t) {
  static int (*next)(pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *);
  if (!next) next = real("pthread_cond_clockwait");
  struct timespec moved = clock == CLOCK_REALTIME ? deadline(t) : *t;
  return next(c, m, clock, &moved);
}

int pthread_mutex_timedlock(pthread_mutex_t *m, const struct timespec *t) {
  static int (*next)(pthread_mutex_t *, const struct timespec *);
  if (!next) next = real("pthread_mutex_timedlock");
  struct timespec moved = deadline(t);
  return next(m, &moved);
}

int sem_timedwait(sem_t *s, const struct timespec *t) {
  static int (*next)(sem_t *, const struct timespec *);
  if (!next) next = real("sem_timedwait");
  struct timespec moved = deadline(t);
  return next(s, &moved);
}
