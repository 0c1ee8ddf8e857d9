/* harness.c - asks every question of our program and of every peer's, in turn, and tells what it
 * learned: a table on the terminal, results.json and results.svg.
 *
 * The systems take turns within each round (A B A B), all on the same cores, each run bounded by a
 * time-out. What fails is named and left out of its question's further rounds. SIGINT ends the run
 * under way, and what is there is told. Exit status 0; 1: a program failed or gave no figure; 2:
 * wrong use; 130: interrupted. `make bench` builds everything and starts it. */
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "bench/harness_json.h"
#include "bench/harness_peers.h"
#include "bench/harness_picture.h"
#include "bench/harness_run.h"
#include "bench/harness_text.h"

enum { ROUNDS = 5, CORES = 2, TIMEOUT_S = 60, SYSTEMS_MAX = HARNESS_PEERS_MAX + 1 };

struct options {
  const char *bench, *peers, *out, *peers_from, *set;
  size_t rounds, cores;
};

struct harness {
  struct options options;
  char ours[HARNESS_PATH_MAX]; /* the folder of our programs */
  struct harness_machine machine;
  struct harness_peers peers;
  struct harness_results results;
  size_t asked, questions; /* for the progress */
  bool failed;
};

/* One who answers the question at hand. */
struct system {
  const char *name;
  char program[HARNESS_PATH_MAX + 2 * HARNESS_NAME_MAX];
  bool out; /* has failed */
};

/* ---- the command line ---- */

static void misuse(const char *what) {
  fprintf(stderr,
          "harness: %s\n"
          "usage: harness [--bench A,B] [--peers A,B|none] [--rounds N] [--cores N] [--out DIR]\n"
          "               [--peers-from DIR] [--set 'KEY=VALUE ...']\n",
          what);
  exit(2);
}

static size_t to_number(const char *text, size_t most) {
  char *end;
  unsigned long value = strtoul(text, &end, 10);
  if (*text < '0' || *text > '9' || *end != '\0' || value < 1 || value > most) {
    misuse("--rounds takes a number from 1 to 51, --cores one from 1 to 1024");
  }
  return value;
}

/* An empty value is as none: make hands over what it has. */
static void take_option(struct options *options, const char *name, const char *value) {
  if (*value == '\0') return;
  if (strcmp(name, "--bench") == 0) {
    options->bench = value;
  } else if (strcmp(name, "--peers") == 0) {
    options->peers = value;
  } else if (strcmp(name, "--rounds") == 0) {
    options->rounds = to_number(value, HARNESS_ROUNDS_MAX);
  } else if (strcmp(name, "--cores") == 0) {
    options->cores = to_number(value, CPU_SETSIZE);
  } else if (strcmp(name, "--out") == 0) {
    options->out = value;
  } else if (strcmp(name, "--peers-from") == 0) {
    options->peers_from = value;
  } else if (strcmp(name, "--set") == 0) {
    options->set = value;
  } else {
    misuse("no such option");
  }
}

static struct options read_options(int argc, char **argv) {
  struct options options = {.out = "build/bench",
                            .peers_from = "bench/peers",
                            .set = "",
                            .rounds = ROUNDS,
                            .cores = CORES};
  if (argc % 2 == 0) misuse("every option takes a value");
  for (int i = 1; i + 1 < argc; i += 2) take_option(&options, argv[i], argv[i + 1]);
  return options;
}

static bool is_asked(const struct options *options, const struct harness_question *question) {
  return harness_list_has(options->bench, question->name) ||
         harness_list_has(options->bench, harness_question_program(question));
}

/* ---- asking ---- */

static void show_progress(const struct harness *h, const char *question, const char *system,
                          size_t round) {
  if (!isatty(STDERR_FILENO)) return;
  fprintf(stderr, "\r\033[K[%zu of %zu] %s: round %zu of %zu, %s", h->asked + 1, h->questions,
          question, round + 1, h->options.rounds, system);
}

static void clear_progress(void) {
  if (isatty(STDERR_FILENO)) fputs("\r\033[K", stderr);
}

static void fail(struct harness *h, const struct harness_question *question, struct system *system,
                 const char *why) {
  harness_results_trouble(&h->results, question, system->name, why);
  system->out = true;
  h->failed = true;
}

static void run_once(struct harness *h, const struct harness_question *question, const char *args,
                     struct system *system) {
  static struct harness_run run;
  struct harness_command command = {
      .program = system->program,
      .args = args,
      .cores = &h->machine.set,
      .timeout_s = question->timeout_s > 0 ? question->timeout_s : TIMEOUT_S};
  if (!harness_run_program(&command, &run)) {
    if (!harness_interrupted()) fail(h, question, system, run.trouble);
    return;
  }
  for (size_t i = 0; i < run.count; i++) {
    const struct harness_line *line = &run.lines[i];
    const char *wrong = harness_results_add(&h->results, question, system->name, line->metric,
                                            line->unit, line->value);
    if (wrong == NULL) continue;
    char why[160];
    snprintf(why, sizeof why, "%s in %s: %s", line->metric, line->unit, wrong);
    fail(h, question, system, why);
  }
}

static size_t gather(struct harness *h, const struct harness_question *question,
                     struct system *systems) {
  size_t count = 1;
  systems[0] = (struct system){.name = HARNESS_OURS};
  snprintf(systems[0].program, sizeof systems[0].program, "%s/%s", h->ours,
           harness_question_program(question));
  for (size_t i = 0; i < h->peers.count; i++) {
    struct system *s = &systems[count];
    *s = (struct system){.name = h->peers.entries[i].name};
    count += harness_peer_program(&h->peers, i, question, s->program, sizeof s->program);
  }
  return count;
}

static void ask(struct harness *h, const struct harness_question *question) {
  struct system systems[SYSTEMS_MAX];
  size_t count = gather(h, question, systems);
  char args[HARNESS_PARAMS_MAX];
  if (!harness_question_args(question, h->options.set, args, sizeof args)) misuse("--set is long");
  for (size_t round = 0; round < h->options.rounds; round++) {
    for (size_t i = 0; i < count && !harness_interrupted(); i++) {
      if (systems[i].out) continue;
      show_progress(h, question->name, systems[i].name, round);
      run_once(h, question, args, &systems[i]);
    }
  }
  clear_progress();
  harness_text_question(&h->results, question, args);
  h->asked++;
}

/* ---- telling ---- */

static void tell(struct harness *h) {
  char path[HARNESS_PATH_MAX];
  harness_machine_load(h->machine.load_after);
  harness_text_end(&h->results);
  snprintf(path, sizeof path, "%s/results.json", h->options.out);
  if (harness_json_write(path, &h->machine, &h->results, h->options.set)) {
    printf("wrote %s\n", path);
  } else {
    fprintf(stderr, "harness: %s: %s\n", path, strerror(errno));
    h->failed = true;
  }
  snprintf(path, sizeof path, "%s/results.svg", h->options.out);
  if (harness_picture_write(path, &h->machine, &h->results)) {
    printf("wrote %s\n", path);
  } else {
    fprintf(stderr, "harness: %s: %s\n", path, strerror(errno));
    h->failed = true;
  }
}

/* ---- the beginning ---- */

static void on_signal(int number) {
  (void)number;
  harness_interrupt();
}

/* Our programs lie beside the harness. */
static void find_ours(struct harness *h) {
  ssize_t n = readlink("/proc/self/exe", h->ours, sizeof h->ours - 1);
  if (n < 0) n = 0;
  h->ours[n] = '\0';
  char *slash = strrchr(h->ours, '/');
  if (slash != NULL) *slash = '\0';
}

static void make_folder(const char *path) {
  char part[HARNESS_PATH_MAX];
  for (size_t i = 1; i <= strlen(path) && i < sizeof part; i++) {
    if (path[i] != '/' && path[i] != '\0') continue;
    snprintf(part, sizeof part, "%.*s", (int)i, path);
    if (mkdir(part, 0755) != 0 && errno != EEXIST) {
      fprintf(stderr, "harness: %s: %s\n", part, strerror(errno));
      exit(1);
    }
  }
}

static void prepare(struct harness *h) {
  const struct harness_question *question;
  for (size_t i = 0; (question = harness_question_at(i)) != NULL; i++) {
    h->questions += is_asked(&h->options, question);
  }
  if (h->questions == 0) misuse("no such question: see bench/harness_questions.c for their names");
  const char *stranger = harness_peers_find(&h->peers, h->options.peers_from, h->options.peers);
  if (stranger != NULL) {
    fprintf(stderr, "harness: no peer is called '%s'; each has a folder in %s\n", stranger,
            h->options.peers_from);
    exit(2);
  }
  find_ours(h);
  make_folder(h->options.out);
  harness_peers_build(&h->peers, h->options.peers_from, h->options.out, &h->results);
  harness_machine_look(&h->machine, h->options.cores);
  printf("%s, %s, cores %s of %zu, load %.2f, %zu rounds\n\n", h->machine.processor,
         h->machine.kernel, h->machine.cores, h->machine.cores_online, h->machine.load_before[0],
         h->options.rounds);
}

int main(int argc, char **argv) {
  static struct harness h;
  h.options = read_options(argc, argv);
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGTERM, &action, NULL);
  prepare(&h);
  const struct harness_question *question;
  for (size_t i = 0; (question = harness_question_at(i)) != NULL && !harness_interrupted(); i++) {
    if (is_asked(&h.options, question)) ask(&h, question);
  }
  tell(&h);
  if (harness_interrupted()) return 130;
  return h.failed ? 1 : 0;
}
