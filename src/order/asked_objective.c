#include "order/asked_objective.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/cancel.h"
#include "base/error.h"
#include "math/logspace.h"
#include "order/groups.h"
#include "order/label_distributions.h"
#include "order/permutations.h"
#include "order/pool_probes.h"
#include "template/ask.h"

enum { CALL_PROMPTS_MAX = 1 << 14 };

const char *const icl_objective_names[] = { [ICL_OBJECTIVE_PERPLEXITY] = "perplexity",
                                            [ICL_OBJECTIVE_ENTROPY] = "mdl",
                                            [ICL_OBJECTIVE_GLOBAL_ENTROPY] = "global-entropy",
                                            [ICL_OBJECTIVE_BALANCE] = "balance",
                                            [ICL_OBJECTIVE_DEV_LOSS] = "dev-loss",
                                            [ICL_OBJECTIVE_COUNT] = NULL };

static const icl_group_by decided_by[] = {
    [ICL_OBJECTIVE_PERPLEXITY] = ICL_GROUP_BY_SET,     [ICL_OBJECTIVE_ENTROPY] = ICL_GROUP_BY_QUERY,
    [ICL_OBJECTIVE_GLOBAL_ENTROPY] = ICL_GROUP_BY_SET, [ICL_OBJECTIVE_BALANCE] = ICL_GROUP_BY_SET,
    [ICL_OBJECTIVE_DEV_LOSS] = ICL_GROUP_BY_SET_SELF,
};

/* What all trials of a search are asked with. */
typedef struct asking {
    const icl_order_input *input;
    const icl_search_plan *plan;
    icl_order_groups groups;
    icl_pool_probes probes; /* none: the objective is of one item, no pool item */
    double *scratch;        /* [label_count] */
} asking;

/* One call: trials whose prompts stand behind each other. */
typedef struct asked_call {
    size_t *shown; /* [trials][k] */
    icl_ask_prompt *prompts;
    double *nats; /* [prompts][label_count] */
    icl_ask_text *texts;
    size_t prompt_count;
} asked_call;

static bool on_pool_items(icl_objective_name objective)
{
    return objective >= ICL_OBJECTIVE_GLOBAL_ENTROPY;
}

static void add_trial(asked_call *call, const asking *a, const icl_order_trial *trial,
                      size_t *shown)
{
    const size_t group = trial->problem;
    for (size_t place = 0; place < trial->places; place++)
        shown[place] = a->groups.sets[group * a->groups.k + trial->order[place]];
    for (size_t i = 0; i < trial->items; i++) {
        icl_ask_prompt *prompt = &call->prompts[call->prompt_count++];
        *prompt = (icl_ask_prompt){ .shown = shown, .shown_count = trial->places };
        if (on_pool_items(a->plan->objective)) {
            prompt->of = ICL_ASK_POOL;
            prompt->item = a->probes.items[group * a->probes.count + i];
        } else if (a->plan->objective == ICL_OBJECTIVE_ENTROPY) {
            prompt->of = ICL_ASK_QUERY;
            prompt->item = a->groups.first[group];
        } else { /* the demonstrations end the prompt */
            prompt->of = ICL_ASK_WRITTEN;
            prompt->written = "";
        }
    }
}

/* Mean of -log P(own label), the labels alone being possible. */
static double cross_entropy(double *rows, const asking *a, const icl_ask_prompt *prompts,
                            size_t count)
{
    const size_t labels = a->input->label_count;
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        icl_log_softmax(rows + i * labels, rows + i * labels, labels);
        sum -= rows[i * labels + a->input->pool_labels[prompts[i].item]];
    }
    return sum / (double)count;
}

/* The objective of one trial from its prompts, `first` on. */
static double value_of(const asking *a, asked_call *call, size_t first, size_t count)
{
    const size_t labels = a->input->label_count;
    double *rows = call->nats + first * labels;
    if (a->plan->objective == ICL_OBJECTIVE_PERPLEXITY)
        return -call->texts[first].nats / (double)call->texts[first].tokens;
    if (a->plan->objective == ICL_OBJECTIVE_DEV_LOSS)
        return cross_entropy(rows, a, call->prompts + first, count);
    icl_label_distributions(rows, count, labels);
    if (a->plan->objective == ICL_OBJECTIVE_GLOBAL_ENTROPY)
        return -icl_global_entropy_nats(rows, count, labels, a->scratch);
    icl_label_distributions_mean(a->scratch, rows, count, labels);
    const double entropy = icl_entropy_nats(a->scratch, labels);
    return a->plan->objective == ICL_OBJECTIVE_ENTROPY ? entropy : log((double)labels) - entropy;
}

static icl_status ask(asked_call *call, const asking *a)
{
    const icl_asker *asker = a->input->asker;
    if (a->plan->objective == ICL_OBJECTIVE_PERPLEXITY)
        return icl_ask_texts(call->texts, asker, a->plan->method, call->prompts,
                             call->prompt_count);
    return icl_ask_labels(call->nats, asker, a->plan->method, call->prompts, call->prompt_count);
}

static icl_status value_call(double *out, const asking *a, const icl_order_trial *trials,
                             size_t count, size_t prompts)
{
    const size_t k = a->groups.k, labels = a->input->label_count;
    asked_call call = { .shown = malloc(count * k * sizeof *call.shown),
                        .prompts = malloc(prompts * sizeof *call.prompts),
                        .nats = malloc((prompts * labels + 1) * sizeof *call.nats),
                        .texts = malloc(prompts * sizeof *call.texts) };
    icl_status status = ICL_OK;
    if (call.shown == NULL || call.prompts == NULL || call.nats == NULL || call.texts == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu questions", prompts);
    for (size_t i = 0; status == ICL_OK && i < count; i++)
        add_trial(&call, a, &trials[i], call.shown + i * k);
    if (status == ICL_OK) status = ask(&call, a);
    for (size_t i = 0, first = 0; status == ICL_OK && i < count; first += trials[i++].items)
        out[i] = value_of(a, &call, first, trials[i].items);
    free(call.texts);
    free(call.nats);
    free(call.prompts);
    free(call.shown);
    return status;
}

/* One call where that is not too many prompts. */
static icl_status value(void *context, double *out, const icl_order_trial *trials, size_t count)
{
    const asking *a = context;
    for (size_t begin = 0, end = 0; begin < count; begin = end) {
        size_t prompts = 0;
        do prompts += trials[end++].items;
        while (end < count && prompts + trials[end].items <= CALL_PROMPTS_MAX);
        ICL_TRY(icl_cancel_check(a->input->cancelled));
        ICL_TRY(value_call(out + begin, a, trials + begin, end - begin, prompts));
    }
    return ICL_OK;
}

/* Ascending pool indices, or the farthest of the query's selection first. */
static void set_starts(size_t *orders, const icl_order_groups *groups, icl_group_by by)
{
    const size_t k = groups->k;
    for (size_t g = 0; g < groups->count; g++)
        for (size_t i = 0; i < k; i++) {
            const size_t rank = groups->ranks[groups->first[g] * k + i];
            orders[g * k + (by == ICL_GROUP_BY_QUERY ? k - 1 - rank : i)] = i;
        }
}

static icl_status search_groups(size_t *orders, asking *a)
{
    const icl_order_input *input = a->input;
    const size_t count = a->groups.count;
    icl_rng *rngs = malloc((count + 1) * sizeof *rngs);
    if (rngs == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for %zu searches", count);
    for (size_t g = 0; g < count; g++)
        rngs[g] = icl_rng_new(input->seed, input->task, a->groups.keys[g], "order-search");
    const icl_order_objective objective = {
        .context = a,
        .item_count = on_pool_items(a->plan->objective) ? a->probes.count : 1,
        .value = value,
    };
    const icl_search_problems problems = {
        .count = count, .k = a->groups.k, .rngs = rngs, .cancelled = input->cancelled
    };
    const icl_status status =
        icl_permutation_search(orders, NULL, &objective, &problems, &a->plan->search);
    free(rngs);
    return status;
}

static icl_status decide(icl_ordering *out, asking *a)
{
    const icl_order_groups *groups = &a->groups;
    const icl_objective_name objective = a->plan->objective;
    size_t *orders = malloc((groups->count * groups->k + 1) * sizeof *orders);
    a->scratch = malloc((a->input->label_count + 1) * sizeof *a->scratch);
    icl_status status = ICL_OK;
    if (orders == NULL || a->scratch == NULL) {
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu orders", groups->count);
        goto cleanup;
    }
    set_starts(orders, groups, decided_by[objective]);
    if (!on_pool_items(objective) || a->probes.count > 0) status = search_groups(orders, a);
    if (status == ICL_OK) icl_order_groups_write(out, groups, orders);

cleanup:
    free(a->scratch);
    free(orders);
    return status;
}

icl_status icl_order_by_search(icl_ordering *out, const icl_order_input *input,
                               const icl_search_plan *plan)
{
    asking a = { .input = input, .plan = plan };
    ICL_TRY(icl_order_groups_make(&a.groups, input, decided_by[plan->objective]));
    icl_status status = ICL_OK;
    if (on_pool_items(plan->objective))
        status = icl_pool_probes_draw(&a.probes, input, &a.groups, plan->items);
    if (status == ICL_OK) status = decide(out, &a);
    icl_pool_probes_deinit(&a.probes);
    icl_order_groups_deinit(&a.groups);
    return status;
}
