/* The neighbour graph against a scan of all pairs, and its two directions against each other. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/rng.h"
#include "index/neighbour_graph.h"
#include "math/matrix.h"
#include "math/topk.h"

enum { COUNT = 70, COLUMNS = 4, K = 9 };

static void fill(float *vectors)
{
    icl_rng rng = icl_rng_new(3, "graph", "", "test");
    for (size_t i = 0; i < COUNT * COLUMNS; i++)
        vectors[i] = (float)((double)icl_rng_below(&rng, 5) - 2); /* many ties, some zero rows */
}

static icl_neighbour_graph graph_of(const float *vectors, size_t count, size_t k)
{
    icl_neighbour_graph graph = { 0 };
    const icl_status status = icl_neighbour_graph_init(
        &graph, &(icl_neighbour_graph_input){
                    .vectors = vectors, .count = count, .columns = COLUMNS, .k = k });
    if (status != ICL_OK) fail_msg("%s", icl_error_message());
    return graph;
}

static double cosine(const float *a, const float *b)
{
    const double lengths =
        sqrt(icl_vector_dot(a, a, COLUMNS)) * sqrt(icl_vector_dot(b, b, COLUMNS));
    return lengths > 0 ? icl_vector_dot(a, b, COLUMNS) / lengths : 0;
}

static void test_neighbour_graph__neighbours_are_the_nearest_others(void **state)
{
    (void)state;
    float vectors[COUNT * COLUMNS];
    fill(vectors);
    icl_neighbour_graph graph = graph_of(vectors, COUNT, K);
    for (size_t i = 0; i < COUNT; i++) {
        icl_scored others[COUNT];
        size_t count = 0;
        for (size_t j = 0; j < COUNT; j++)
            if (j != i)
                others[count++] =
                    (icl_scored){ .score = cosine(vectors + i * COLUMNS, vectors + j * COLUMNS),
                                  .index = j };
        icl_topk(others, count, K);
        for (size_t n = 0; n < K; n++)
            assert_int_equal(graph.neighbours[i * K + n], others[n].index);
    }
    icl_neighbour_graph_deinit(&graph);
}

static void test_neighbour_graph__supporters_are_the_edges_turned_over(void **state)
{
    (void)state;
    float vectors[COUNT * COLUMNS];
    fill(vectors);
    icl_neighbour_graph graph = graph_of(vectors, COUNT, K);
    assert_int_equal(graph.first[COUNT], COUNT * K);
    for (size_t u = 0; u < COUNT; u++) {
        size_t at = graph.first[u];
        for (size_t i = 0; i < COUNT; i++)
            for (size_t n = 0; n < K; n++)
                if (graph.neighbours[i * K + n] == u) assert_int_equal(graph.supporters[at++], i);
        assert_int_equal(at, graph.first[u + 1]);
    }
    icl_neighbour_graph_deinit(&graph);
}

static void test_neighbour_graph__k_is_clipped_to_the_others(void **state)
{
    (void)state;
    float vectors[COUNT * COLUMNS];
    fill(vectors);
    icl_neighbour_graph graph = graph_of(vectors, 3, 150);
    assert_int_equal(graph.k, 2);
    for (size_t u = 0; u < 3; u++) assert_int_equal(graph.first[u + 1] - graph.first[u], 2);
    icl_neighbour_graph_deinit(&graph);
    graph = graph_of(vectors, 1, 150);
    assert_int_equal(graph.k, 0);
    assert_int_equal(graph.first[1], 0);
    icl_neighbour_graph_deinit(&graph);
}

static void test_neighbour_graph__refuses_vectors_that_are_no_numbers(void **state)
{
    (void)state;
    float vectors[COUNT * COLUMNS];
    fill(vectors);
    vectors[5 * COLUMNS] = NAN;
    icl_neighbour_graph graph = { .k = 77 };
    assert_int_equal(icl_neighbour_graph_init(
                         &graph,
                         &(icl_neighbour_graph_input){
                             .vectors = vectors, .count = COUNT, .columns = COLUMNS, .k = K }),
                     ICL_EINVAL);
    assert_non_null(strstr(icl_error_message(), "5"));
    assert_int_equal(graph.k, 77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_neighbour_graph__neighbours_are_the_nearest_others),
        cmocka_unit_test(test_neighbour_graph__supporters_are_the_edges_turned_over),
        cmocka_unit_test(test_neighbour_graph__k_is_clipped_to_the_others),
        cmocka_unit_test(test_neighbour_graph__refuses_vectors_that_are_no_numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
