// Preloaded into orepa_tool: a disk that fails at a chosen moment. What changes files (write,
// pwrite, fsync, rename, symlink, unlink, remove, ftruncate) is counted from 1, standard output and
// error left out. The environment says what happens:
//
//   FAULT_KILL_AT=n        SIGKILL instead of the n-th; of a write, half is written first
//   FAULT_FULL=first,last  from the first to the last, writes get a half in, and then ENOSPC
//   FAULT_FSYNC_MS=n       fsync takes so much longer
//   FAULT_CLOCK_BACK=n     each look at the clock of the day finds it n seconds earlier
//   FAULT_COUNT=path       at the end their number is written there
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static atomic_long changes, looks;

static long setting(const char* name) {
  const char* value = getenv(name);
  return value ? atol(value) : 0;
}

static void end(void) { kill(getpid(), SIGKILL); }

// The number of this change.
static long next_change(void) { return atomic_fetch_add(&changes, 1) + 1; }

static void change(void) {
  if (next_change() == setting("FAULT_KILL_AT")) end();
}

// How much of a write gets in; -1 where the disk is full.
static ssize_t room_for(long number, size_t size) {
  long first = 0, last = -1;
  const char* full = getenv("FAULT_FULL");
  if (!full || sscanf(full, "%ld,%ld", &first, &last) != 2 || number < first || number > last)
    return (ssize_t)size;
  return size > 1 ? (ssize_t)size / 2 : -1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int file, const void* bytes, size_t size) {
  const __typeof__(&write) real = REAL(write);
  if (file == STDOUT_FILENO || file == STDERR_FILENO) return real(file, bytes, size);
  const long number = next_change();
  if (number == setting("FAULT_KILL_AT")) {
    if (real(file, bytes, size / 2) < 0) perror("faults: write");
    end();
  }
  const ssize_t room = room_for(number, size);
  if (room >= 0) return real(file, bytes, (size_t)room);
  errno = ENOSPC;
  return -1;
}

// As HDF5 writes.
ssize_t pwrite(int file, const void* bytes, size_t size, off_t offset) {
  const __typeof__(&pwrite) real = REAL(pwrite);
  const long number = next_change();
  if (number == setting("FAULT_KILL_AT")) {
    if (real(file, bytes, size / 2, offset) < 0) perror("faults: pwrite");
    end();
  }
  const ssize_t room = room_for(number, size);
  if (room >= 0) return real(file, bytes, (size_t)room, offset);
  errno = ENOSPC;
  return -1;
}

int fsync(int file) {
  change();
  usleep((useconds_t)setting("FAULT_FSYNC_MS") * 1000);
  return REAL(fsync)(file);
}

int rename(const char* from, const char* to) {
  change();
  return REAL(rename)(from, to);
}

int symlink(const char* target, const char* path) {
  change();
  return REAL(symlink)(target, path);
}

int unlink(const char* path) {
  change();
  return REAL(unlink)(path);
}

int remove(const char* path) {
  change();
  return REAL(remove)(path);
}

int ftruncate(int file, off_t length) {
  change();
  return REAL(ftruncate)(file, length);
}

static time_t turned_back(void) {
  return setting("FAULT_CLOCK_BACK") * (atomic_fetch_add(&looks, 1) + 1);
}

time_t time(time_t* result) {
  const time_t now = REAL(time)(NULL) - turned_back();
  if (result) *result = now;
  return now;
}

int clock_gettime(clockid_t clock, struct timespec* now) {
  const int failure = REAL(clock_gettime)(clock, now);
  if (!failure && clock == CLOCK_REALTIME) now->tv_sec -= turned_back();
  return failure;
}

__attribute__((destructor)) static void tell_count(void) {
  const char* path = getenv("FAULT_COUNT");
  FILE* file = path ? fopen(path, "w") : NULL;
  if (!file) return;
  fprintf(file, "%ld\n", atomic_load(&changes));
  fclose(file);
}
