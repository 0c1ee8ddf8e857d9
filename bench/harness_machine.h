/* harness_machine.h - on what it was measured: kernel, processor, cores, load, versions; and the
 * cores that every program is bound to. Thread: one. */
#ifndef TRP_BENCH_HARNESS_MACHINE_H
#define TRP_BENCH_HARNESS_MACHINE_H

#include <sched.h>
#include <stddef.h>

enum { HARNESS_PACKAGES_MAX = 16 };

struct harness_version {
  const char *system, *package;
  char version[64];
};

struct harness_machine {
  char kernel[96], processor[96], compiler[64], made[32], cores[64];
  size_t cores_used, cores_online, version_count;
  double load_before[3], load_after[3];
  cpu_set_t set;
  struct harness_version versions[HARNESS_PACKAGES_MAX];
};

/* Looks at everything but the load afterwards; binds nothing itself. At most `cores` of those that
 * this process may use. */
void harness_machine_look(struct harness_machine *machine, size_t cores);

/* The load now, over 1, 5 and 15 minutes. */
void harness_machine_load(double load[3]);

#endif
