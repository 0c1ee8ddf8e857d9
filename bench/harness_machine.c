#include "bench/harness_machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "bench/harness_questions.h"
#include "bench/harness_run.h"

static void look_at_kernel(struct harness_machine *machine) {
  struct utsname name;
  if (uname(&name) == 0) {
    snprintf(machine->kernel, sizeof machine->kernel, "%.20s %.50s %.20s", name.sysname,
             name.release, name.machine);
  }
}

/* The first "model name" of /proc/cpuinfo, where the architecture tells one. */
static void look_at_processor(struct harness_machine *machine) {
  char line[256];
  FILE *file = fopen("/proc/cpuinfo", "r");
  while (file != NULL && fgets(line, sizeof line, file) != NULL) {
    char *colon = strchr(line, ':');
    if (strncmp(line, "model name", 10) != 0 || colon == NULL) continue;
    colon[strcspn(colon, "\n")] = '\0';
    snprintf(machine->processor, sizeof machine->processor, "%.90s",
             colon + 1 + strspn(colon + 1, " "));
    break;
  }
  if (file != NULL) fclose(file);
}

static void choose_cores(struct harness_machine *machine, size_t cores) {
  cpu_set_t allowed;
  CPU_ZERO(&machine->set);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) CPU_ZERO(&allowed);
  size_t used = 0;
  for (size_t cpu = 0; cpu < CPU_SETSIZE && machine->cores_used < cores; cpu++) {
    if (!CPU_ISSET(cpu, &allowed)) continue;
    CPU_SET(cpu, &machine->set);
    int n = snprintf(machine->cores + used, sizeof machine->cores - used, "%s%zu",
                     machine->cores_used > 0 ? "," : "", cpu);
    if (n > 0 && used + (size_t)n < sizeof machine->cores) used += (size_t)n;
    machine->cores_used++;
  }
  long online = sysconf(_SC_NPROCESSORS_ONLN);
  machine->cores_online = online > 0 ? (size_t)online : 0;
}

/* By dpkg, where there is one; what is not installed has no line. */
static void look_at_packages(struct harness_machine *machine) {
  static struct harness_run run;
  for (size_t i = 0; machine->version_count < HARNESS_PACKAGES_MAX; i++) {
    struct harness_peer peer = harness_package_at(i);
    if (peer.name == NULL) return;
    char args[128];
    snprintf(args, sizeof args, "--show --showformat=${Version} %s", peer.package);
    if (!harness_run_any(
            &(struct harness_command){
                .program = "/usr/bin/dpkg-query", .args = args, .timeout_s = 10},
            &run)) {
      continue;
    }
    if (run.said[0] == '\0') continue;
    struct harness_version *v = &machine->versions[machine->version_count++];
    v->system = peer.name;
    v->package = peer.package;
    snprintf(v->version, sizeof v->version, "%.60s", run.said);
  }
}

void harness_machine_load(double load[3]) {
  if (getloadavg(load, 3) != 3) load[0] = load[1] = load[2] = 0;
}

void harness_machine_look(struct harness_machine *machine, size_t cores) {
  memset(machine, 0, sizeof *machine);
  look_at_kernel(machine);
  look_at_processor(machine);
  choose_cores(machine, cores);
  look_at_packages(machine);
  harness_machine_load(machine->load_before);
  snprintf(machine->compiler, sizeof machine->compiler, "%s", __VERSION__);
  time_t now = time(NULL);
  struct tm utc;
  if (gmtime_r(&now, &utc) != NULL) {
    strftime(machine->made, sizeof machine->made, "%Y-%m-%dT%H:%M:%SZ", &utc);
  }
}
