/* plan_test.c - deadlines and releases computed on the graph. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "runtime/plan.h"
#include "runtime/troupe.h"

static const uint64_t MS = TRP_NS_PER_MS;

static void open_plan(struct trp_plan *plan, struct trp_graph *graph, uint32_t actors,
                      const uint32_t (*edges)[2], uint32_t edge_count, const uint32_t *budget_ms,
                      uint64_t total_ms) {
  trp_graph_init(graph);
  for (uint32_t e = 0; e < edge_count; e++) {
    assert_int_equal(trp_graph_add(graph, edges[e][0], edges[e][1], false), TRP_OK);
  }
  assert_int_equal(trp_plan_make(plan, graph, actors, budget_ms, total_ms * MS), TRP_OK);
}

static void close_plan(struct trp_plan *plan, struct trp_graph *graph) {
  trp_plan_fini(plan);
  trp_graph_fini(graph);
}

static uint64_t soft(struct trp_plan *plan, uint32_t actor) {
  return plan->soft_ns[plan->order.component[actor]];
}
static uint64_t hard(struct trp_plan *plan, uint32_t actor) {
  return plan->hard_ns[plan->order.component[actor]];
}

static void a_deadline_is_the_latest_upstreams_and_ones_own(void **state) {
  (void)state;
  struct trp_graph g;
  struct trp_plan p;
  open_plan(&p, &g, 4, (const uint32_t[][2]){{0, 2}, {1, 2}}, 2,
            (const uint32_t[]){100, 400, 200, 40}, 10000);
  assert_int_equal(soft(&p, 0), 100 * MS);
  assert_int_equal(hard(&p, 0), 125 * MS);
  assert_int_equal(hard(&p, 1), 500 * MS);
  assert_int_equal(soft(&p, 2), 700 * MS);
  assert_int_equal(hard(&p, 2), 750 * MS);
  assert_int_equal(soft(&p, 3), 40 * MS);
  assert_int_equal(p.longest_ns, 750 * MS);
  assert_int_equal(p.last, p.order.component[2]);
  assert_int_equal(p.via[p.last], p.order.component[1]);
  assert_int_equal(p.via[p.order.component[1]], TRP_PLAN_NONE);
  close_plan(&p, &g);
}

static void what_does_not_fit_is_scaled_down_and_keeps_its_order(void **state) {
  (void)state;
  enum { N = 40 };
  struct trp_graph g;
  struct trp_plan p;
  uint32_t edges[N][2], budgets[N];
  for (uint32_t i = 0; i < N; i++) {
    edges[i][0] = i;
    edges[i][1] = i + 1;
    budgets[i] = 2000;
  }
  open_plan(&p, &g, N, (const uint32_t(*)[2])edges, N - 1, budgets, 15000);
  assert_true(hard(&p, N - 1) <= 15000 * MS);
  assert_true(hard(&p, N - 1) >= 14999 * MS);
  assert_int_equal(p.longest_ns, N * 2500ull * MS);
  for (uint32_t i = 0; i < N; i++) assert_true(soft(&p, i) < hard(&p, i));
  for (uint32_t i = 1; i < N; i++) assert_true(hard(&p, i - 1) < soft(&p, i));
  close_plan(&p, &g);
}

static void a_component_is_free_when_every_edge_into_it_has_closed(void **state) {
  (void)state;
  struct trp_graph g;
  struct trp_plan p;
  open_plan(&p, &g, 4, (const uint32_t[][2]){{0, 2}, {1, 2}, {2, 3}}, 3,
            (const uint32_t[]){1, 1, 1, 1}, 100);
  uint32_t edge = 0, freed = 99;
  assert_false(trp_plan_closed(&p, 0, &edge, &freed));
  edge = 0;
  assert_true(trp_plan_closed(&p, 1, &edge, &freed));
  assert_int_equal(freed, p.order.component[2]);
  assert_false(trp_plan_closed(&p, 1, &edge, &freed));
  edge = 0;
  assert_true(trp_plan_closed(&p, 2, &edge, &freed));
  assert_int_equal(freed, p.order.component[3]);
  close_plan(&p, &g);
}

static void the_members_of_a_cycle_share_a_deadline_and_do_not_wait_for_each_other(void **state) {
  (void)state;
  struct trp_graph g;
  struct trp_plan p;
  open_plan(&p, &g, 3, (const uint32_t[][2]){{0, 1}, {1, 0}, {1, 2}, {0, 2}}, 4,
            (const uint32_t[]){100, 300, 100}, 10000);
  assert_int_equal(soft(&p, 0), 300 * MS);
  assert_int_equal(soft(&p, 1), 300 * MS);
  assert_int_equal(p.waits[p.order.component[0]], 0);
  assert_int_equal(p.waits[p.order.component[2]], 2);
  assert_int_equal(soft(&p, 2), 475 * MS);
  uint32_t edge = 0, freed = 99;
  assert_false(trp_plan_closed(&p, 0, &edge, &freed));
  edge = 0;
  assert_true(trp_plan_closed(&p, 1, &edge, &freed));
  assert_int_equal(freed, p.order.component[2]);
  close_plan(&p, &g);
}

static void a_plan_for_nobody_is_a_plan(void **state) {
  (void)state;
  struct trp_graph g;
  struct trp_plan p;
  uint32_t none = 0;
  open_plan(&p, &g, 0, NULL, 0, &none, 100);
  assert_int_equal(p.order.components, 0);
  assert_int_equal(p.last, TRP_PLAN_NONE);
  close_plan(&p, &g);
}

int main(void) {
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_deadline_is_the_latest_upstreams_and_ones_own),
      cmocka_unit_test(what_does_not_fit_is_scaled_down_and_keeps_its_order),
      cmocka_unit_test(a_component_is_free_when_every_edge_into_it_has_closed),
      cmocka_unit_test(the_members_of_a_cycle_share_a_deadline_and_do_not_wait_for_each_other),
      cmocka_unit_test(a_plan_for_nobody_is_a_plan),
  };
  return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
