#include "order/candidate_orders.h"

#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/rng.h"
#include "order/label_distributions.h"
#include "order/permutations.h"

static icl_status reserve(icl_candidate_orders *out, size_t most)
{
    const size_t all = icl_factorial(out->k);
    out->count = all < most ? all : most;
    const size_t places = out->groups.count * out->count * out->k;
    out->orders = malloc((places + 1) * sizeof *out->orders);
    out->shown = malloc((places + 1) * sizeof *out->shown);
    if (out->orders == NULL || out->shown == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu orders of %zu demonstrations",
                             out->groups.count * out->count, out->k);
    return ICL_OK;
}

static icl_status draw_group(icl_candidate_orders *out, const icl_order_input *input, size_t group)
{
    const size_t k = out->k, first = group * out->count * k;
    icl_permutations drawn = { 0 };
    icl_rng rng =
        icl_rng_new(input->seed, input->task, out->groups.keys[group], "order-candidates");
    ICL_TRY(icl_permutations_sample(&drawn, k, out->count, &rng));
    memcpy(out->orders + first, drawn.rows, out->count * k * sizeof *out->orders);
    for (size_t i = 0; i < out->count * k; i++)
        out->shown[first + i] = out->groups.sets[group * k + drawn.rows[i]];
    icl_permutations_deinit(&drawn);
    return icl_cancel_check(input->cancelled);
}

icl_status icl_candidate_orders_make(icl_candidate_orders *out, const icl_order_input *input,
                                     const icl_options *options, icl_group_by by)
{
    icl_candidate_orders made = { .k = input->k };
    icl_status status = icl_order_groups_make(&made.groups, input, by);
    if (status == ICL_OK) status = reserve(&made, (size_t)icl_options_int(options, "orders"));
    for (size_t g = 0; status == ICL_OK && g < made.groups.count; g++)
        status = draw_group(&made, input, g);
    if (status == ICL_OK)
        *out = made;
    else
        icl_candidate_orders_deinit(&made);
    return status;
}

void icl_candidate_orders_deinit(icl_candidate_orders *tried)
{
    free(tried->shown);
    free(tried->orders);
    icl_order_groups_deinit(&tried->groups);
    *tried = (icl_candidate_orders){ 0 };
}

icl_ask_prompt icl_candidate_prompt(const icl_candidate_orders *tried, size_t group, size_t order)
{
    return (icl_ask_prompt){ .shown = tried->shown + (group * tried->count + order) * tried->k,
                             .shown_count = tried->k };
}

icl_status icl_candidate_ask_content_free(double *out, const icl_candidate_orders *tried,
                                          const icl_order_input *input, const char *method)
{
    const size_t count = tried->groups.count * tried->count;
    icl_ask_prompt *prompts = malloc((count + 1) * sizeof *prompts);
    if (prompts == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for %zu questions", count);
    for (size_t i = 0; i < count; i++)
        prompts[i] = icl_candidate_prompt(tried, i / tried->count, i % tried->count);
    const icl_status status =
        icl_content_free_distributions(out, input->asker, method, prompts, count);
    free(prompts);
    return status;
}

icl_status icl_candidate_ask_queries(double *out, const icl_candidate_orders *tried,
                                     const size_t *orders, size_t order_count,
                                     const icl_order_input *input, const char *method)
{
    const size_t count = input->query_count * order_count;
    icl_ask_prompt *prompts = malloc((count + 1) * sizeof *prompts);
    if (prompts == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for %zu questions", count);
    for (size_t i = 0; i < count; i++) {
        const size_t query = i / order_count, group = tried->groups.of[query];
        const size_t column = i % order_count;
        prompts[i] = icl_candidate_prompt(
            tried, group, orders == NULL ? column : orders[group * order_count + column]);
        prompts[i].of = ICL_ASK_QUERY;
        prompts[i].item = query;
    }
    const icl_status status = icl_ask_labels(out, input->asker, method, prompts, count);
    if (status == ICL_OK) icl_label_distributions(out, count, input->label_count);
    free(prompts);
    return status;
}

static void choose(icl_ordering *out, const icl_candidate_orders *tried, size_t query, size_t order)
{
    const size_t k = tried->k, group = tried->groups.of[query];
    const size_t *places = tried->orders + (group * tried->count + order) * k;
    for (size_t place = 0; place < k; place++)
        out->permutations[query * k + place] = tried->groups.ranks[query * k + places[place]];
}

void icl_candidate_orders_choose(icl_ordering *out, const icl_candidate_orders *tried,
                                 const size_t *chosen)
{
    for (size_t q = 0; q < out->query_count; q++) choose(out, tried, q, chosen[q]);
}

void icl_candidate_orders_choose_for_groups(icl_ordering *out, const icl_candidate_orders *tried,
                                            const size_t *chosen)
{
    for (size_t q = 0; q < out->query_count; q++)
        choose(out, tried, q, chosen[tried->groups.of[q]]);
}
