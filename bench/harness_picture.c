#include "bench/harness_picture.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench/harness_panel.h"
#include "bench/harness_text.h"

/* All in the picture's own units, of which a screen shows one a pixel. */
enum {
  WIDTH = 1240,
  EDGE = 40,
  GAP = 24,
  HEAD = 128,
  FOOT = 48,
  CARD_WIDTH = (WIDTH - 2 * EDGE - GAP) / 2,
  CARD_HEAD = 64,
  CARD_FOOT = 40,
  ROW = 26,
  INSET = 20,    /* of what is in a card */
  LABELS = 150,  /* room for the names at the left of the plot */
  FIGURES = 116, /* room for the figures at its right */
  DOT = 5,
  LETTER = 6 /* about the width of a small letter */
};

#define LEVEL 1.05 /* a ratio nearer to 1 is none */

struct card {
  const struct harness_panel *panel;
  struct harness_axis axis;
  int x, y, height;
};

static void put_text(FILE *out, const char *text) {
  for (; *text != '\0'; text++) {
    switch (*text) {
      case '<':
        fputs("&lt;", out);
        break;
      case '>':
        fputs("&gt;", out);
        break;
      case '&':
        fputs("&amp;", out);
        break;
      default:
        fputc(*text, out);
    }
  }
}

static void text_at(FILE *out, double x, double y, const char *class, const char *text) {
  fprintf(out, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">", x, y, class);
  put_text(out, text);
  fputs("</text>\n", out);
}

/* ---- the plot ---- */

static int plot_left(const struct card *card) { return card->x + INSET + LABELS; }
static int plot_width(void) { return CARD_WIDTH - 2 * INSET - LABELS - FIGURES; }

static double place_of(const struct card *card, double value) {
  return plot_left(card) + plot_width() * harness_axis_place(&card->axis, value);
}

/* The marks of the axis: a hair line each, its value below, as many as have room. */
static void draw_axis(FILE *out, const struct card *card) {
  double top = card->y + CARD_HEAD, bottom = card->y + card->height - CARD_FOOT;
  double free_from = plot_left(card) - 20;
  for (double mark = harness_axis_next(&card->axis, 0); mark > 0;
       mark = harness_axis_next(&card->axis, mark)) {
    double x = place_of(card, mark);
    fprintf(out, "<path d=\"M%.1f %.1fV%.1f\" class=\"grid\"/>\n", x, top, bottom);
    char figure[HARNESS_FIGURE_MAX];
    if (mark < 1e4) {
      snprintf(figure, sizeof figure, "%g", mark);
    } else {
      const char *letter = mark >= 1e9 ? "G" : mark >= 1e6 ? "M" : "k";
      double divisor = mark >= 1e9 ? 1e9 : mark >= 1e6 ? 1e6 : 1e3;
      snprintf(figure, sizeof figure, "%g %s", round(mark / divisor), letter);
    }
    double half = (double)strlen(figure) * LETTER / 2 + 4;
    if (x - half < free_from) continue;
    text_at(out, x, bottom + 16, "tick", figure);
    free_from = x + half;
  }
}

static void draw_promise(FILE *out, const struct harness_results *results, const struct card *card,
                         const struct harness_row *row, double y) {
  double mark = harness_results_mark(results, row->result);
  if (!row->ours || isnan(mark)) return;
  double x = place_of(card, mark);
  bool kept = harness_results_verdict(results, row->result) == HARNESS_KEPT;
  fprintf(out, "<path d=\"M%.1f %.1fV%.1f\" class=\"%s\"/>\n", x, y - ROW / 2.0 + 3,
          y + ROW / 2.0 - 3, kept ? "kept" : "broken");
}

static void draw_row(FILE *out, const struct harness_results *results, const struct card *card,
                     size_t i) {
  const struct harness_row *row = &card->panel->rows[i];
  double y = card->y + CARD_HEAD + ROW * ((double)i + 0.5);
  const char *who = row->ours ? "ours" : "peer";
  char class[32], figure[HARNESS_FIGURE_MAX];
  snprintf(class, sizeof class, "label %s", who);
  text_at(out, plot_left(card) - 12, y + 4, class, row->label);
  fprintf(out, "<path d=\"M%d %.1fh%d\" class=\"lane\"/>\n", plot_left(card), y, plot_width());
  draw_promise(out, results, card, row, y);
  double low = place_of(card, row->statistics.min), high = place_of(card, row->statistics.max);
  if (high - low > DOT) {
    fprintf(out, "<path d=\"M%.1f %.1fH%.1f\" class=\"range %s\"/>\n", low, y, high, who);
  }
  fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%d\" class=\"dot %s\"/>\n",
          place_of(card, row->statistics.median), y, row->ours ? DOT + 1 : DOT, who);
  harness_figure(figure, sizeof figure, row->statistics.median, row->result->metric->unit);
  snprintf(class, sizeof class, "figure %s", who);
  text_at(out, plot_left(card) + plot_width() + 12, y + 4, class, figure);
}

/* ---- cards ---- */

/* What stands in the corner: how many times as good as the best peer. */
static void draw_ratio(FILE *out, const struct harness_results *results, const struct card *card) {
  const struct harness_result *best = NULL;
  for (size_t i = 0; i < card->panel->count && best == NULL; i++) {
    const struct harness_row *row = &card->panel->rows[i];
    if (row->ours) best = row->result;
  }
  if (best == NULL || card->panel->alone) return;
  const struct harness_result *peer =
      harness_results_best_peer(results, best->question, best->metric);
  double ratio = harness_results_ratio(results, best);
  if (peer == NULL || isnan(ratio)) return;
  char text[HARNESS_NAME_MAX + 32];
  double times = ratio >= 1 ? ratio : 1 / ratio;
  if (times < LEVEL) {
    snprintf(text, sizeof text, "level with %s", peer->system);
  } else {
    snprintf(text, sizeof text, "%.*f\u00d7 %s%s", times < 9.95 ? 1 : 0, times,
             ratio >= 1 ? "" : "behind ", peer->system);
  }
  text_at(out, card->x + CARD_WIDTH - INSET, card->y + 30,
          ratio > 1 / LEVEL ? "ratio" : "ratio behind", text);
}

/* What the axis shows, and what was promised. */
static void draw_foot(FILE *out, const struct card *card) {
  const struct harness_metric *metric = card->panel->metric;
  int y = card->y + card->height - 10;
  char text[160], promise[96];
  snprintf(text, sizeof text,
           metric->more_is_better ? "%s, more is better \u2192" : "\u2190 %s, less is better",
           harness_unit(metric->unit));
  text_at(out, plot_left(card) + plot_width(), y, "axis right", text);
  harness_promise_text(promise, sizeof promise, metric);
  if (card->panel->alone || promise[0] == '\0') return;
  snprintf(text, sizeof text, "promised: %s", promise);
  text_at(out, card->x + INSET, y, "axis", text);
}

static void draw_card(FILE *out, const struct harness_results *results, const struct card *card) {
  const struct harness_panel *panel = card->panel;
  char text[160];
  fprintf(out, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"10\" class=\"card\"/>\n",
          card->x, card->y, CARD_WIDTH, card->height);
  snprintf(text, sizeof text, "%s", panel->question->name);
  for (char *at = text; *at != '\0'; at++) *at = *at == '_' ? ' ' : *at;
  text_at(out, card->x + INSET, card->y + 30, "title", text);
  bool named = !panel->alone && harness_metric_count(panel->question) > 1;
  snprintf(text, sizeof text, "%.84s%s%.40s", panel->question->sentence, named ? ": " : "",
           named ? panel->metric->name : "");
  text_at(out, card->x + INSET, card->y + 50, "sentence", text);
  draw_ratio(out, results, card);
  draw_axis(out, card);
  for (size_t i = 0; i < panel->count; i++) draw_row(out, results, card, i);
  draw_foot(out, card);
}

/* Each card goes below the shorter column. Returns the picture's height. */
static int lay_out(const struct harness_results *results, const struct harness_panel *panels,
                   size_t count, struct card *cards) {
  int ends[2] = {HEAD, HEAD};
  for (size_t i = 0; i < count; i++) {
    int column = ends[1] < ends[0];
    cards[i] = (struct card){.panel = &panels[i],
                             .axis = harness_panel_axis(results, &panels[i]),
                             .x = EDGE + column * (CARD_WIDTH + GAP),
                             .y = ends[column],
                             .height = CARD_HEAD + CARD_FOOT + ROW * (int)panels[i].count};
    ends[column] += cards[i].height + GAP;
  }
  return (ends[0] > ends[1] ? ends[0] : ends[1]) + FOOT;
}

/* ---- the whole ---- */

/* Colours of either background; a viewer that knows no preference has the light one. */
static const char style[] =
    "<style>\n"
    "text{font-family:'Inter','Helvetica Neue','DejaVu Sans',Arial,sans-serif;font-size:12px;"
    "fill:#3d4451}\n"
    ".page{fill:#f6f5f1}.card{fill:#ffffff;stroke:#e4e2da}\n"
    ".name{font-size:27px;font-weight:700;fill:#1c2129}.about{font-size:13px;fill:#6b7280}\n"
    ".title{font-size:16px;font-weight:700;fill:#1c2129}.sentence{fill:#6b7280}\n"
    ".ratio{font-size:16px;font-weight:700;fill:#0f766e;text-anchor:end}.behind{fill:#b45309}\n"
    ".label,.right{text-anchor:end}.tick{text-anchor:middle;font-size:10.5px;fill:#8a909c}\n"
    ".axis{font-size:10.5px;fill:#8a909c}.ours{font-weight:700;fill:#0f766e}\n"
    ".grid{stroke:#eeece5;fill:none}.lane{stroke:#e4e2da;stroke-dasharray:1 4;fill:none}\n"
    ".dot.ours{fill:#0d9488}.dot.peer{fill:#9aa1ad}\n"
    ".range{stroke-width:4;stroke-linecap:round;opacity:.35;fill:none}\n"
    ".range.ours{stroke:#0d9488}.range.peer{stroke:#9aa1ad}\n"
    ".kept,.broken{stroke-width:2.5;fill:none}.kept{stroke:#16a34a}.broken{stroke:#dc2626}\n"
    "@media (prefers-color-scheme:dark){\n"
    "text{fill:#c9ced8}.page{fill:#14171c}.card{fill:#1c2027;stroke:#2c323c}\n"
    ".name,.title{fill:#f2f4f7}.about,.sentence{fill:#98a1b0}.ratio,.ours{fill:#5eead4}\n"
    ".behind{fill:#fbbf24}.grid{stroke:#272d36}.lane{stroke:#353c48}\n"
    ".tick,.axis{fill:#7d8695}.dot.ours{fill:#2dd4bf}.dot.peer{fill:#7d8695}\n"
    ".range.ours{stroke:#2dd4bf}.range.peer{stroke:#7d8695}}\n"
    "</style>\n";

static size_t most_runs(const struct harness_results *results) {
  size_t most = 0;
  for (size_t i = 0; i < results->count; i++) {
    if (results->results[i].count > most) most = results->results[i].count;
  }
  return most;
}

static void draw_legend(FILE *out, double x, double y) {
  fprintf(out, "<path d=\"M%.0f %.0fh36\" class=\"range peer\"/>\n", x, y - 4);
  fprintf(out, "<circle cx=\"%.0f\" cy=\"%.0f\" r=\"%d\" class=\"dot peer\"/>\n", x + 16, y - 4,
          DOT);
  text_at(out, x + 48, y, "about", "median, least to greatest run");
  fprintf(out, "<path d=\"M%.0f %.0fv16\" class=\"kept\"/>\n", x + 262, y - 12);
  text_at(out, x + 272, y, "about", "promise, kept");
  fprintf(out, "<path d=\"M%.0f %.0fv16\" class=\"broken\"/>\n", x + 376, y - 12);
  text_at(out, x + 386, y, "about", "not kept");
}

static void draw_head(FILE *out, const struct harness_machine *machine,
                      const struct harness_results *results) {
  char text[512];
  text_at(out, EDGE, 58, "name", "troupe beside its peers");
  snprintf(text, sizeof text, "%s, cores %s of %zu, %s, %.10s, %zu runs each in turn",
           machine->processor, machine->cores, machine->cores_online, machine->kernel,
           machine->made, most_runs(results));
  text_at(out, EDGE, 86, "about", text);
  draw_legend(out, EDGE, 110);
}

bool harness_picture_write(const char *path, const struct harness_machine *machine,
                           const struct harness_results *results) {
  static struct harness_panel panels[HARNESS_PANELS_MAX];
  static struct card cards[HARNESS_PANELS_MAX];
  FILE *out = fopen(path, "we");
  if (out == NULL) return false;
  size_t count = harness_panels_make(results, panels, HARNESS_PANELS_MAX);
  int height = lay_out(results, panels, count, cards);
  fprintf(out,
          "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
          "height=\"%d\" role=\"img\">\n<title>troupe beside its peers</title>\n",
          WIDTH, height, WIDTH, height);
  fputs(style, out);
  fprintf(out, "<rect width=\"%d\" height=\"%d\" class=\"page\"/>\n", WIDTH, height);
  draw_head(out, machine, results);
  for (size_t i = 0; i < count; i++) draw_card(out, results, &cards[i]);
  fputs("</svg>\n", out);
  bool written = !ferror(out);
  return fclose(out) == 0 && written;
}
