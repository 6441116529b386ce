#include "order/probed_orders.h"

#include <stdlib.h>

#include "base/error.h"
#include "math/logspace.h"

const icl_option icl_probed_options[ICL_PROBED_OPTION_COUNT] = { ICL_ORDER_OPTION_ORDERS,
                                                                 ICL_PROBING_OPTIONS };

typedef struct probing {
    const icl_order_input *input;
    const icl_options *options;
    const char *method;
    icl_probe_entropy *entropy;
    icl_candidate_orders tried;
    icl_pool_probes pool; /* where the model writes nothing that is usable */
} probing;

static icl_status prepare(probing *self)
{
    ICL_TRY(icl_candidate_orders_make(&self->tried, self->input, self->options, ICL_GROUP_BY_SET));
    return icl_pool_probes_draw(&self->pool, self->input, &self->tried.groups,
                                (size_t)icl_options_int(self->options, "inputs"));
}

static icl_status make_set(icl_probing_set *out, const probing *self, size_t group)
{
    if (icl_probing_set_is_written(self->options))
        ICL_TRY(icl_probing_set_write(out, self->input, &self->tried, group, self->options));
    if (out->count > 0) return ICL_OK;
    icl_probing_set_deinit(out);
    return icl_probing_set_from_pool(out, &self->pool, group);
}

/* The order of one group. */
static icl_status choose(size_t *out_order, const probing *self, const icl_probing_set *probes,
                         size_t group)
{
    const size_t orders = self->tried.count, labels = self->input->label_count;
    const size_t cells = probes->count * labels; /* of an order */
    double *rows = malloc((orders * cells + 1) * sizeof *rows);
    double *scores = malloc(orders * sizeof *scores);
    double *scratch = malloc((labels + 1) * sizeof *scratch);
    icl_status status = ICL_OK;
    if (rows == NULL || scores == NULL || scratch == NULL)
        status =
            icl_error_set(ICL_ENOMEM, "out of memory for %zu questions", orders * probes->count);
    else
        status = icl_probing_set_ask(rows, probes, &self->tried, group, self->input, self->method);
    if (status == ICL_OK) {
        for (size_t i = 0; i < orders; i++)
            scores[i] = self->entropy(rows + i * cells, probes->count, labels, scratch);
        *out_order = icl_argmax(scores, orders);
    }
    free(scratch);
    free(scores);
    free(rows);
    return status;
}

static icl_status probe_groups(size_t *chosen, const probing *self)
{
    icl_status status = ICL_OK;
    for (size_t g = 0; status == ICL_OK && g < self->tried.groups.count; g++) {
        icl_probing_set probes = { 0 };
        status = make_set(&probes, self, g);
        if (status == ICL_OK && probes.count > 0) status = choose(&chosen[g], self, &probes, g);
        icl_probing_set_deinit(&probes);
    }
    return status;
}

icl_status icl_order_by_probing(icl_ordering *out, const icl_order_input *input,
                                const icl_options *options, const char *method,
                                icl_probe_entropy *entropy)
{
    probing self = { .input = input, .options = options, .method = method, .entropy = entropy };
    size_t *chosen = calloc(input->query_count + 1, sizeof *chosen); /* [groups.count] */
    if (chosen == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu orders", input->query_count);
    icl_status status = prepare(&self);
    if (status == ICL_OK && self.tried.count > 1) status = probe_groups(chosen, &self);
    if (status == ICL_OK) icl_candidate_orders_choose_for_groups(out, &self.tried, chosen);
    icl_pool_probes_deinit(&self.pool);
    icl_candidate_orders_deinit(&self.tried);
    free(chosen);
    return status;
}
