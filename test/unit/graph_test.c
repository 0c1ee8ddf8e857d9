/* graph_test.c - the edges, and the order of stopping made from them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "runtime/graph.h"

static void link(struct trp_graph *g, uint32_t from, uint32_t to) {
  assert_int_equal(trp_graph_add(g, from, to, false), TRP_OK);
}

static void order_of(struct trp_graph *g, uint32_t actors, struct trp_order *o) {
  assert_int_equal(trp_graph_order(g, actors, o), TRP_OK);
}

static void a_line_stops_from_its_source(void **state) {
  (void)state;
  struct trp_graph g;
  struct trp_order o;
  trp_graph_init(&g);
  link(&g, 2, 0);
  link(&g, 0, 1);
  order_of(&g, 4, &o);
  assert_int_equal(o.components, 4);
  assert_true(o.component[2] < o.component[0]);
  assert_true(o.component[0] < o.component[1]);
  for (uint32_t c = 0; c < 4; c++) assert_false(o.cyclic[c]);
  trp_order_fini(&o);
  trp_graph_fini(&g);
}

static void a_cycle_is_one_component_and_an_edge_to_oneself_is_a_cycle(void **state) {
  (void)state;
  struct trp_graph g;
  struct trp_order o;
  trp_graph_init(&g);
  link(&g, 0, 1);
  link(&g, 1, 2);
  link(&g, 2, 1);
  link(&g, 2, 3);
  link(&g, 4, 4);
  order_of(&g, 5, &o);
  assert_int_equal(o.components, 4);
  assert_int_equal(o.component[1], o.component[2]);
  assert_true(o.cyclic[o.component[1]]);
  assert_true(o.cyclic[o.component[4]]);
  assert_false(o.cyclic[o.component[0]]);
  assert_false(o.cyclic[o.component[3]]);
  assert_true(o.component[0] < o.component[1] && o.component[1] < o.component[3]);
  trp_order_fini(&o);
  trp_graph_fini(&g);
}

static void repeated_edges_count_once_and_dynamic_ones_as_often_as_made(void **state) {
  (void)state;
  struct trp_graph g;
  trp_graph_init(&g);
  for (int i = 0; i < 3; i++) link(&g, 0, 1);
  for (int i = 0; i < 3; i++) assert_int_equal(trp_graph_add(&g, 0, 1, true), TRP_OK);
  for (int i = 0; i < 2; i++) assert_int_equal(trp_graph_add(&g, 1, 0, true), TRP_OK);
  assert_int_equal(g.count, 2);
  for (int i = 0; i < 9; i++) trp_graph_remove(&g, 0, 1);
  assert_int_equal(g.count, 2); /* the declared one stays */
  trp_graph_remove(&g, 1, 0);
  assert_int_equal(g.count, 2);
  trp_graph_remove(&g, 1, 0);
  assert_int_equal(g.count, 1);
  assert_int_equal(g.dynamic_total, 0);
  trp_graph_remove(&g, 7, 8);
  trp_graph_fini(&g);
}

static void an_end_takes_its_dynamic_edges_with_it(void **state) {
  (void)state;
  struct trp_graph g;
  trp_graph_init(&g);
  for (uint32_t i = 1; i < 50; i++) {
    assert_int_equal(trp_graph_add(&g, 0, i, true), TRP_OK);
    assert_int_equal(trp_graph_add(&g, i, i - 1, i % 2 == 0), TRP_OK);
  }
  trp_graph_drop_dynamic(&g, 0);
  assert_int_equal(g.dynamic_total, 24);
  for (uint32_t i = 0; i < 50; i++) trp_graph_drop_dynamic(&g, i);
  assert_int_equal(g.dynamic_total, 0);
  assert_int_equal(g.count, 25); /* the declared ones */
  trp_graph_fini(&g);
}

/* The reachability of every pair by brute force must agree with the components. */
static void random_graphs_are_cut_right(void **state) {
  (void)state;
  enum { N = 12 };
  uint64_t chance = 7;
  for (int round = 0; round < 300; round++) {
    struct trp_graph g;
    struct trp_order o;
    bool reach[N][N] = {{false}};
    trp_graph_init(&g);
    for (int e = 0; e < round % 40; e++) {
      chance = chance * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
      uint32_t from = (uint32_t)(chance >> 40) % N, to = (uint32_t)(chance >> 50) % N;
      link(&g, from, to);
      reach[from][to] = true;
    }
    for (int k = 0; k < N; k++) {
      for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) reach[i][j] = reach[i][j] || (reach[i][k] && reach[k][j]);
      }
    }
    order_of(&g, N, &o);
    for (uint32_t i = 0; i < N; i++) {
      assert_true(o.cyclic[o.component[i]] == reach[i][i]);
      for (uint32_t j = 0; j < N; j++) {
        bool together = i == j || (reach[i][j] && reach[j][i]);
        assert_true((o.component[i] == o.component[j]) == together);
        if (reach[i][j] && !together) assert_true(o.component[i] < o.component[j]);
      }
      uint32_t c = o.component[i];
      uint32_t found = 0;
      for (uint32_t m = o.members_from[c]; m < o.members_from[c + 1]; m++) {
        found += o.members[m] == i;
      }
      assert_int_equal(found, 1);
    }
    assert_int_equal(o.members_from[o.components], N);
    trp_order_fini(&o);
    trp_graph_fini(&g);
  }
}

static void a_very_long_line_overflows_no_stack(void **state) {
  (void)state;
  enum { LONG = 3000 };
  struct trp_graph g;
  struct trp_order o;
  trp_graph_init(&g);
  for (uint32_t i = 0; i + 1 < LONG; i++) link(&g, i, i + 1);
  order_of(&g, LONG, &o);
  for (uint32_t i = 0; i < LONG; i++) assert_int_equal(o.component[i], i);
  trp_order_fini(&o);
  trp_graph_fini(&g);
}

int main(void) {
  static const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_line_stops_from_its_source),
      cmocka_unit_test(a_cycle_is_one_component_and_an_edge_to_oneself_is_a_cycle),
      cmocka_unit_test(repeated_edges_count_once_and_dynamic_ones_as_often_as_made),
      cmocka_unit_test(an_end_takes_its_dynamic_edges_with_it),
      cmocka_unit_test(random_graphs_are_cut_right),
      cmocka_unit_test(a_very_long_line_overflows_no_stack),
  };
  return cmocka_run_group_tests_name("graph", tests, NULL, NULL);
}
