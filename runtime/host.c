/* host.c - the life of a process that was spawned for one actor: take what was inherited, make a
 * system of that actor, listen, say so, run it, and tell how it ended.
 *
 * The main thread waits on the line to the slot's side. Where that closes, the other program is
 * gone, and so is this one. No clean-up is done at the end: what the process holds goes with it. */
#include "runtime/host.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/blob.h"
#include "runtime/deadline.h"
#include "runtime/host_state.h"

static const int FATAL[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};

static const struct trp_kind *const *hosted; /* NULL: main has not said what it can host */
static struct trp_host host;                 /* of the one process that this may be */

bool trp_host_knows(const struct trp_kind *kind) {
  for (size_t i = 0; hosted != NULL && hosted[i] != NULL; i++) {
    if (hosted[i] == kind) return true;
  }
  return false;
}

/* The log is on the other side, and cannot be reached from here. */
__attribute__((noreturn)) static void give_up(const char *what) {
  char line[256];
  int n = snprintf(line, sizeof line, "troupe: a process for an actor: %s\n", what);
  if (n > 0) (void)!write(STDERR_FILENO, line, (size_t)n);
  _exit(TRP_PROCESS_EXIT_BROKEN);
}

/* ---- what was inherited ---- */

static struct trp_process_page *take_page(void) {
  struct stat st;
  if (fstat(TRP_PROCESS_PAGE_FD, &st) != 0 || st.st_size < (off_t)sizeof(struct trp_process_page)) {
    give_up(TRP_PROCESS_VARIABLE
            " is set, but nothing was inherited: it is set for processes "
            "that troupe spawns, and by nobody else");
  }
  struct trp_process_page *page =
      mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, TRP_PROCESS_PAGE_FD, 0);
  if (page == MAP_FAILED) give_up("its page cannot be mapped");
  bool whole = page->magic == TRP_PROCESS_MAGIC && page->bytes == (uint64_t)st.st_size &&
               strcmp(page->version, TRP_VERSION) == 0 &&
               page->args_bytes <= page->bytes - sizeof *page;
  if (!whole) give_up("its page is of another version: the program was replaced while it ran");
  close(TRP_PROCESS_PAGE_FD);
  return page;
}

static const struct trp_kind *find_kind(const char *name) {
  for (size_t i = 0; hosted[i] != NULL; i++) {
    if (strcmp(hosted[i]->name, name) == 0) return hosted[i];
  }
  give_up("the program does not host its kind: it was replaced while it ran");
}

/* Before anything else: from here on a dead parent is our death. */
static void bind_to_parent(const struct trp_process_page *page) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != page->parent) _exit(TRP_PROCESS_EXIT_BROKEN); /* it was dead already */
  char comm[16];
  snprintf(comm, sizeof comm, "%.15s", page->name);
  prctl(PR_SET_NAME, comm);
}

/* ---- a fault ---- */

/* Where it was goes into the page; the death itself is seen from outside. Async-signal-safe. */
static void on_fatal(int number) {
  struct trp_stack pcs;
  trp_stack_capture(&pcs, 1);
  trp_stack_text(&pcs, host.page->stack, sizeof host.page->stack);
  signal(number, SIG_DFL);
  raise(number);
}

static void install_fatal(void) {
  struct sigaction action = {.sa_handler = on_fatal, .sa_flags = (int)SA_RESETHAND};
  sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < sizeof FATAL / sizeof *FATAL; i++) sigaction(FATAL[i], &action, NULL);
  signal(SIGPIPE, SIG_IGN);
}

/* ---- frames that come ---- */

static void take_letter(const struct trp_frame *frame) {
  struct trp_actor *a = &host.page->actor;
  struct trp_letter letter;
  if (trp_letter_fill(&letter, frame->head.type, frame->body, frame->head.bytes) != TRP_OK) {
    give_up("no memory for a letter");
  }
  uint64_t place = host.letters++ % TRP_HOST_SENDERS;
  host.senders[place].from = frame->head.a;
  host.senders[place].token = frame->head.b;
  letter.flags = TRP_LETTER_FAR;
  letter.from = place;
  enum trp_err err = trp_mail_put(a, trp_ref_incarnation(host.page->self), false, &letter);
  /* Its life is over; the letter is not acknowledged, and so on the account of the slot. */
  if (err != TRP_OK) trp_letter_release(host.system, &letter, err);
}

static void take_news(const struct trp_frame *frame) {
  struct trp_news *news =
      aligned_alloc(alignof(struct trp_news), (sizeof *news + frame->head.bytes + 15) / 16 * 16);
  if (news == NULL) give_up("no memory for news");
  memset(news, 0, sizeof *news);
  news->node.kind = TRP_NODE_NEWS;
  news->type = frame->head.type;
  news->bytes = frame->head.bytes;
  memcpy(news->body, frame->body, frame->head.bytes);
  trp_actor_post(&host.page->actor, &news->node);
}

static void take_answer(const struct trp_frame *frame) {
  struct trp_letter letter;
  if (trp_letter_fill(&letter, frame->head.type, frame->body, frame->head.bytes) != TRP_OK) {
    give_up("no memory for an answer");
  }
  letter.from = frame->head.b;
  enum trp_err err = trp_ask_complete(host.system, frame->head.a, &letter);
  if (err != TRP_OK) trp_letter_release(host.system, &letter, err); /* nobody waits any more */
}

static void take_frame(const struct trp_frame *frame) {
  struct trp_actor *a = &host.page->actor;
  switch (frame->head.kind) {
    case TRP_FRAME_LETTER:
      take_letter(frame);
      break;
    case TRP_FRAME_NEWS:
      take_news(frame);
      break;
    case TRP_FRAME_ANSWER:
      take_answer(frame);
      break;
    case TRP_FRAME_PILL:
      atomic_store_explicit(&a->stop_soft_ns, frame->head.a, memory_order_relaxed);
      trp_actor_signal(a, TRP_SIGNAL_PILL);
      break;
    case TRP_FRAME_END:
      trp_actor_signal(a, TRP_SIGNAL_CUT);
      break;
    default:
      break;
  }
}

/* In nng's threads: everything is only put where the actor finds it. */
static void news_of_link(void *arg) {
  (void)arg;
  struct trp_frame frame;
  pthread_mutex_lock(&host.taking);
  while (trp_link_take(host.link, &frame)) take_frame(&frame);
  pthread_mutex_unlock(&host.taking);
  trp_actor_signal(&host.page->actor, TRP_SIGNAL_ROOM);
}

/* ---- the life ---- */

static void make_system(void) {
  struct trp_process_page *page = host.page;
  const struct trp_system_options options = {.name = page->system,
                                             .seed = page->seed,
                                             .budget_ms = page->budget_ms,
                                             .actors_max = 1,
                                             .allow_faults = page->allow_faults,
                                             .log_level = TRP_LOG_NONE,
                                             .log_fd = -1};
  if (trp_system_new(&host.system, &options) != TRP_OK) give_up("its system cannot be made");
  host.system->host = &host;
  struct trp_spec spec = {.name = page->name,
                          .kind = find_kind(page->kind),
                          .args = page->args_bytes > 0 ? page->args : NULL,
                          .args_bytes = page->args_bytes,
                          .mailbox = {.capacity = TRP_HOST_SENDERS},
                          .start_timeout_ms = page->start_timeout_ms,
                          .budget_ms = page->budget_ms,
                          .turn_limit_ms = page->turn_limit_ms,
                          .outbox_max = page->outbox_max};
  if (trp_system_add(host.system, &spec) != TRP_OK) give_up("its actor cannot be made");
  page->actor.crash = &page->crash;
  page->actor.life = trp_ref_incarnation(page->self) - 1; /* the next is the slot's incarnation */
}

static void say(char word) {
  if (write(TRP_PROCESS_LINE_FD, &word, 1) != 1) _exit(TRP_PROCESS_EXIT_BROKEN);
}

static void tell_stack(void) {
  const uint64_t wait_ns = 20 * TRP_NS_PER_MS;
  int tid = atomic_load_explicit(&host.page->actor.tid, memory_order_relaxed);
  struct trp_stack pcs;
  if (trp_stack_of_thread(tid, wait_ns, &pcs) == TRP_OK) {
    trp_stack_text(&pcs, host.page->stack, sizeof host.page->stack);
  } else {
    trp_stack_proc_state(tid, host.page->stack, sizeof host.page->stack);
  }
  say(TRP_WORD_STACK);
}

/* True where it may leave. */
static bool hear_line(void) {
  char word;
  ssize_t got = read(TRP_PROCESS_LINE_FD, &word, 1);
  if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN)) {
    _exit(TRP_PROCESS_EXIT_BROKEN); /* the other program is gone */
  }
  if (got == 1 && word == TRP_WORD_STACK) tell_stack();
  return got == 1 && word == TRP_WORD_LEAVE;
}

/* Hears the line until `done` is readable (below 0: until it may leave) or the time is over. */
static void wait_on_line(int done, uint64_t until_ns) {
  struct pollfd fds[2] = {{.fd = TRP_PROCESS_LINE_FD, .events = POLLIN},
                          {.fd = done, .events = POLLIN}};
  enum { NAP_MS = 60000 };
  for (;;) {
    uint64_t left_ms = trp_deadline_left_ns(until_ns) / TRP_NS_PER_MS;
    if (left_ms == 0) return;
    poll(fds, done < 0 ? 1 : 2, left_ms < NAP_MS ? (int)left_ms : NAP_MS);
    if (fds[0].revents != 0 && hear_line()) return;
    if (done >= 0 && fds[1].revents != 0) return;
  }
}

static void tell_end(void) {
  const uint64_t patience_ns = 2 * TRP_NS_PER_S; /* then the slot's side has other worries */
  struct trp_actor *a = &host.page->actor;
  if (a->farewell.crashed) {
    trp_stack_text(&host.page->crash.stack, host.page->stack, sizeof host.page->stack);
  }
  struct trp_frame_head head = {.kind = TRP_FRAME_ENDED,
                                .a = atomic_load_explicit(&a->handled, memory_order_relaxed)};
  (void)trp_host_frame(&host, &head, NULL, true);
  wait_on_line(-1, trp_deadline_in(patience_ns));
}

static void wait_for_stopped(int changed_fd) {
  while (trp_system_stage(host.system) != TRP_STAGE_STOPPED) {
    eventfd_t count;
    wait_on_line(changed_fd, UINT64_MAX);
    (void)!eventfd_read(changed_fd, &count);
  }
}

__attribute__((noreturn)) static void run(void) {
  struct trp_link_options link = {.path = host.page->path, .listen = true, .news = news_of_link};
  pthread_mutex_init(&host.taking, NULL);
  install_fatal();
  (void)!trp_stack_install();
  make_system();
  if (trp_directory_attach(&host.directory, TRP_PROCESS_DIRECTORY_FD) != TRP_OK) {
    give_up("its directory cannot be mapped");
  }
  int changed_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (changed_fd < 0) give_up("no descriptor is left");
  host.system->changed_fd = changed_fd;
  if (trp_link_open(&host.link, &link) != TRP_OK) give_up("it cannot listen");
  say(TRP_WORD_READY);
  if (trp_system_start_async(host.system) != TRP_OK) give_up("its system cannot be started");
  wait_for_stopped(changed_fd);
  tell_end();
  _exit(TRP_PROCESS_EXIT_ENDED);
}

void trp_process_host(const struct trp_kind *const *kinds) {
  hosted = kinds;
  if (getenv(TRP_PROCESS_VARIABLE) == NULL) return;
  unsetenv(TRP_PROCESS_VARIABLE); /* it is not for what this process may spawn */
  host.page = take_page();
  bind_to_parent(host.page);
  run();
}
