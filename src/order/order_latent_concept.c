/* Latent concept: the order after which vectors that stand for the task are likeliest, the mean
 * log-probability of their tokens behind the last demonstration; the first of equal orders. The
 * vectors are what `icl fit "select=latent-concept"` learned, and serve sets of any selection.
 *
 * The public code can also divide by the sum over the concepts of several tasks. A file holds one
 * concept of one task, for which that is 1 whatever the order, so that concepts of labels, which
 * are not tasks, are refused. Vectors are no tokens, which the engine could read: the model's
 * weights are loaded once more, and every order is read in full. */
#include <stdlib.h>

#include "base/cancel.h"
#include "base/error.h"
#include "learn/concept.h"
#include "learn/fit_file.h"
#include "math/logspace.h"
#include "order/candidate_orders.h"

typedef struct trial {
    const icl_order_input *input;
    icl_candidate_orders tried;
    icl_fit_file *file;
    const float *vectors; /* [concept_tokens][width]; the file's */
    size_t concept_tokens;
    icl_frozen_model frozen;
    size_t window;  /* of the model, in tokens */
    double *scores; /* [tried.count] */
    size_t *chosen; /* [tried.groups.count] */
} trial;

/* ---- the concept ---- */

static icl_status read_concept(trial *t, const char *path)
{
    const icl_fit_origin *origin = icl_fit_file_origin(t->file);
    ICL_TRY(icl_fit_file_check(path, "select method", origin->method, "latent-concept"));
    ICL_TRY(icl_fit_file_check(path, "language model", origin->model, t->input->model_identity));
    const icl_fit_array *vectors = icl_fit_file_array(t->file, "concepts");
    const icl_fit_array *nats = icl_fit_file_array(t->file, "nats"); /* a row for each concept */
    if (vectors == NULL || nats == NULL)
        return icl_error_set(ICL_EPARSE, "\"%s\" holds no concept", path);
    if (nats->rows != 1)
        return icl_error_set(ICL_EINVAL,
                             "\"%s\" holds %zu concepts, one for each label; orders take one of "
                             "the task: icl fit \"select=latent-concept(concepts=task)\"",
                             path, nats->rows);
    t->concept_tokens = vectors->rows;
    return ICL_OK;
}

static icl_status open_concept(trial *t, const icl_options *options)
{
    const char *path = icl_options_text(options, "file");
    if (path[0] == '\0')
        return icl_error_set(ICL_EINVAL,
                             "order method \"latent-concept\" has to be fitted first: icl fit "
                             "\"select=latent-concept\" TASK --out FILE, then "
                             "order=latent-concept(file=FILE)");
    ICL_TRY(icl_fit_file_open(&t->file, path));
    return read_concept(t, path);
}

/* ---- its likelihood ---- */

/* The demonstrations of an order, the last one with its label behind the others; where the window
 * has no room for all and the concept, without the first ones. */
static icl_status read_order(icl_labelled_tokens *out, const trial *t, size_t group, size_t order)
{
    const icl_trainable *trainable = t->input->trainable;
    const icl_ask_prompt prompt = icl_candidate_prompt(&t->tried, group, order);
    const size_t last = prompt.shown_count - 1;
    ICL_TRY(icl_cancel_check(t->input->cancelled));
    for (size_t first = 0; first <= last; first++) {
        ICL_TRY(trainable->tokens(trainable->user, out, prompt.shown + first, last - first,
                                  prompt.shown[last]));
        if (out->token_count + t->concept_tokens <= t->window) return ICL_OK;
    }
    return icl_error_set(ICL_ECONTEXT,
                         "a demonstration of %zu tokens and a concept of %zu exceed the model's "
                         "window of %zu",
                         out->token_count, t->concept_tokens, t->window);
}

static icl_status longest_order(size_t *out_tokens, const trial *t, size_t group)
{
    size_t longest = 0;
    for (size_t i = 0; i < t->tried.count; i++) {
        icl_labelled_tokens tokens = { 0 };
        ICL_TRY(read_order(&tokens, t, group, i));
        if (tokens.token_count > longest) longest = tokens.token_count;
    }
    *out_tokens = longest;
    return ICL_OK;
}

static icl_status score_orders(trial *t, icl_concepts *concepts, size_t group)
{
    for (size_t i = 0; i < t->tried.count; i++) {
        icl_labelled_tokens tokens = { 0 };
        ICL_TRY(read_order(&tokens, t, group, i));
        ICL_TRY(icl_concepts_score(&t->scores[i], concepts, &tokens, 0));
    }
    t->chosen[group] = icl_argmax(t->scores, t->tried.count);
    return ICL_OK;
}

/* The reading is as long as this group's orders, whatever the other groups are: padding could
 * change last bits. */
static icl_status choose(trial *t, size_t group)
{
    icl_concepts_shape shape = { .concept_tokens = t->concept_tokens, .group_count = 1 };
    ICL_TRY(longest_order(&shape.tokens_max, t, group));
    icl_concepts *concepts = NULL;
    ICL_TRY(icl_concepts_new(&concepts, t->frozen.model, &shape, t->vectors));
    const icl_status status = score_orders(t, concepts, group);
    icl_concepts_free(concepts);
    return status;
}

static icl_status try_orders(trial *t)
{
    const size_t groups = t->tried.groups.count;
    t->scores = malloc(t->tried.count * sizeof *t->scores);
    t->chosen = calloc(groups + 1, sizeof *t->chosen);
    if (t->scores == NULL || t->chosen == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu orders", groups * t->tried.count);
    if (t->tried.count == 1) return ICL_OK; /* nothing to choose */
    ICL_TRY(icl_frozen_model_open(&t->frozen, t->input->trainable));
    const icl_transformer_config *config = icl_transformer_get_config(t->frozen.model);
    t->window = config->window;
    ICL_TRY(icl_fit_file_find(&t->vectors, t->file, "concepts", t->concept_tokens, config->width));
    for (size_t g = 0; g < groups; g++) ICL_TRY(choose(t, g));
    return ICL_OK;
}

static icl_status order_latent_concept(icl_ordering *out, const icl_order_input *input,
                                       const icl_options *options)
{
    trial t = { .input = input };
    icl_status status = open_concept(&t, options);
    if (status == ICL_OK)
        status = icl_candidate_orders_make(&t.tried, input, options, ICL_GROUP_BY_SET);
    if (status == ICL_OK) status = try_orders(&t);
    if (status == ICL_OK) icl_candidate_orders_choose_for_groups(out, &t.tried, t.chosen);
    free(t.chosen);
    free(t.scores);
    icl_frozen_model_close(&t.frozen);
    icl_candidate_orders_deinit(&t.tried);
    icl_fit_file_free(t.file);
    return status;
}

static const icl_option options[] = {
    ICL_ORDER_OPTION_ORDERS,
    { .name = "file",
      .type = ICL_OPTION_TEXT,
      .fallback = "",
      .help = "what icl fit wrote for select=latent-concept with the same language model" },
};

const icl_order_method icl_order_latent_concept = {
    .card = { .name = "latent-concept",
              .summary = "The order after which learned vectors that stand for the task are "
                         "likeliest.",
              .paper = "Wang et al. 2023, \"Large Language Models Are Latent Variable Models: "
                       "Explaining and Finding Good Demonstrations for In-Context Learning\"",
              .cost = "none of the engine; besides it, orders texts of k demonstrations for each "
                      "set of demonstrations, by weights in float32",
              .needs = ICL_NEEDS_LABELS | ICL_NEEDS_TRAINING | ICL_NEEDS_GRADIENTS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = order_latent_concept,
};
