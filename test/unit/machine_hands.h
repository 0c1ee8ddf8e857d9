/* machine_hands.h - what tests of the protocol machine have in common: the machine's inputs by hand
 * and clock, and the trace of what comes out of it.
 *
 * In a trace: > a text sent (as the test describes it), ? a snapshot asked for, Q quote, T trade,
 * B book (kind@id(levels)), ! notice, = feed state, gap, RECONNECT, RENEW, RELEASE, and ?? another
 * GET by the end of its path. What is polled has a * behind it. What is of a link other than 0
 * has its number in front. Thread: the test's. */
#ifndef TRP_TEST_MACHINE_HANDS_H
#define TRP_TEST_MACHINE_HANDS_H

#include "adapters/machine.h"

#define MS 1000000ull

struct hands {
  struct trp_machine *machine;
  uint64_t now;
  char trace[65536];
  char last_text[20000];
  char last_url[2048];
  uint64_t last_ticket;
  char told_reason[TRP_MACHINE_REASON_BYTES];
  uint32_t texts, max_texts_in_a_second;
  uint64_t text_times[10000];
  enum trp_err send_result;
  struct trp_quote last_quote;
  struct trp_trade last_trade;
  /* Set by the test. */
  const struct trp_dialect *dialect;
  const char *(*describe)(const char *text);    /* of a text sent */
  void (*on_book)(const struct trp_book *book); /* or NULL */
};
extern struct hands hands;

extern const struct trp_machine_out hands_outputs;     /* without renewals and other GETs */
extern const struct trp_machine_out hands_all_outputs; /* with them */

/* A new machine of the dialect, at a time that is not 0, with an empty trace. */
void hands_make(const struct trp_dialect *dialect, const char *(*describe)(const char *text));
void hands_make_with(const struct trp_machine_options *options); /* another one, the rest stays */
void hands_make_all(const struct trp_machine_options *options);  /* with all outputs */
void hands_drop(void);

/* The trace so far is this; a new one begins. */
void hands_expect(const char *expected);
void hands_forget(void);
/* The reason of the feed's state, asked for now, whatever was told. */
void hands_expect_reason(const char *expected);

void hands_pass_ms(uint64_t ms);    /* in ticks */
void hands_frame(const char *text); /* on link 0 */
void hands_bytes(uint32_t link, const void *bytes, size_t size);
void hands_old_frame(const char *text); /* on link 0, of its predecessor */
void hands_answer(uint64_t ticket, uint16_t status, const char *body);
void hands_want(const char *symbol);

/* What stands in the text between `before` and the next `end`; "" where there is none. */
void hands_cut(char out[256], const char *text, const char *before, char end);

#endif
