/* gradient_check.h - compares gradients that a graph computes with differences of its loss. */
#ifndef ICL_TESTS_GRADIENT_CHECK_H
#define ICL_TESTS_GRADIENT_CHECK_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <ggml-backend.h>

#include "base/rng.h"
#include "learn/devices.h"
#include "learn/graph.h"
#include "near.h"

/* Central differences of fourth order lose (step^4 / 30) f''''' to truncation and about 1e-7 |loss|
 * / step to single precision: both are below this share of the largest gradient at this step. */
#define GRADIENT_STEP      0.02
#define GRADIENT_TOLERANCE 2e-3

/* A weight of these sizes (0 ends them) with normal numbers that depend on its name. */
static inline size_t add_weight(icl_parameters *parameters, const char *name, int64_t n0,
                                int64_t n1, int64_t n2)
{
    const int64_t shape[] = { n0, n1, n2 };
    const size_t rank = n1 == 0 ? 1 : n2 == 0 ? 2 : 3;
    size_t index = 0;
    assert_int_equal(icl_parameters_add(&index, parameters, name, shape, rank), ICL_OK);
    return index;
}

static inline void fill_weights(icl_parameters *parameters, double deviation)
{
    assert_int_equal(icl_parameters_allocate(parameters), ICL_OK);
    for (size_t i = 0; i < icl_parameters_count(parameters); i++)
        assert_int_equal(icl_parameters_fill_normal(parameters, i, 7, deviation), ICL_OK);
}

static inline float *read_gradient(const icl_parameters *parameters, size_t index)
{
    const icl_parameter *item = icl_parameters_at(parameters, index);
    float *numbers = malloc(item->count * sizeof *numbers);
    assert_non_null(numbers);
    ggml_backend_tensor_get(item->gradient, numbers, 0, item->count * sizeof *numbers);
    return numbers;
}

static inline double loss_at(icl_graph *graph, const icl_value *loss, icl_parameters *parameters,
                             size_t index, float *values, size_t at, double offset)
{
    const float before = values[at];
    values[at] = (float)((double)before + offset);
    icl_parameters_set(parameters, index, values);
    assert_int_equal(icl_graph_run(graph), ICL_OK);
    values[at] = before;
    icl_parameters_set(parameters, index, values);
    return (double)icl_graph_scalar(graph, loss);
}

/* Central difference of fourth order. */
static inline double difference(icl_graph *graph, const icl_value *loss, icl_parameters *parameters,
                                size_t index, float *values, size_t at)
{
    const double h = GRADIENT_STEP;
    const double near = loss_at(graph, loss, parameters, index, values, at, h) -
                        loss_at(graph, loss, parameters, index, values, at, -h);
    const double far = loss_at(graph, loss, parameters, index, values, at, 2 * h) -
                       loss_at(graph, loss, parameters, index, values, at, -2 * h);
    return (8 * near - far) / (12 * h);
}

/* Every weight of the set against differences of `loss`; the graph is finished, inputs are set. At
 * most `probes` numbers of each weight are tried. */
static inline void check_gradients(icl_graph *graph, const icl_value *loss,
                                   icl_parameters *parameters, size_t probes)
{
    for (size_t w = 0; w < icl_parameters_count(parameters); w++) {
        const icl_parameter *item = icl_parameters_at(parameters, w);
        if (item->frozen) continue;
        icl_parameters_zero_gradients(parameters);
        assert_int_equal(icl_graph_run(graph), ICL_OK);
        float *gradient = read_gradient(parameters, w);
        float *values = malloc(item->count * sizeof *values);
        assert_non_null(values);
        icl_parameters_get(parameters, w, values);
        double largest = 0;
        for (size_t i = 0; i < item->count; i++) largest = fmax(largest, fabs((double)gradient[i]));
        assert_true(largest > 0);
        icl_rng rng = icl_rng_new(3, "gradient", item->name, "probe");
        const size_t count = probes < item->count ? probes : item->count;
        for (size_t p = 0; p < count; p++) {
            const size_t at = count == item->count ? p : icl_rng_below(&rng, item->count);
            const double expected = difference(graph, loss, parameters, w, values, at);
            if (!(fabs((double)gradient[at] - expected) <= GRADIENT_TOLERANCE * largest + 2e-5))
                fail_msg("%s[%zu]: gradient %.9g, differences %.9g (largest %.3g)", item->name, at,
                         (double)gradient[at], expected, largest);
        }
        free(values);
        free(gradient);
    }
}

#endif
