/* In-Context Reflection: starts from random demonstrations and, round by round, puts the candidates
 * that the model gets most confidently wrong in the place of the first of them.
 *
 * Misconfidence is max over wrong labels of P(label) / P(gold label); here its logarithm. Equation
 * 2, Algorithm 1 and section 5.2 of the paper were read: who stands in the set is not asked; always
 * the first places are refilled, so a second round replaces those who came in the first, and the
 * random rest stays; one round, half of the set, 500 candidates and no regard to labels are the
 * paper's values. Its ablation (table 3) loses up to 12 points where nothing random stays. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/rng.h"
#include "math/logspace.h"
#include "template/ask.h"
#include "select/corpus.h"
#include "select/draw.h"

static const char method_name[] = "misconfidence";

typedef struct reflection {
    const icl_select_input *input;
    icl_split split;
    size_t size, replaced; /* demonstrations, and how many places are refilled in a round */
    bool same_class;
    size_t *set;             /* [size] pool indices in order of showing */
    size_t *others;          /* [candidate_count - size] candidates that are not in the set */
    icl_ask_prompt *prompts; /* [candidate_count - size] */
    double *nats;            /* [candidate_count - size][label_count] */
    double *misconfidence;   /* [pool_count] log of the paper's; NaN: not asked */
    size_t *ranking;         /* [pool_count] the most misconfident first */
} reflection;

static bool in_set(const reflection *r, size_t item)
{
    for (size_t place = 0; place < r->size; place++)
        if (r->set[place] == item) return true;
    return false;
}

static size_t list_others(const reflection *r)
{
    size_t count = 0;
    for (size_t c = 0; c < r->split.candidate_count; c++)
        if (!in_set(r, r->split.candidates[c])) r->others[count++] = r->split.candidates[c];
    return count;
}

static icl_status measure(reflection *r)
{
    const size_t count = list_others(r), label_count = r->input->label_count;
    for (size_t i = 0; i < count; i++)
        r->prompts[i] = (icl_ask_prompt){
            .shown = r->set, .shown_count = r->size, .of = ICL_ASK_POOL, .item = r->others[i]
        };
    ICL_TRY(icl_ask_labels(r->nats, r->input->asker, method_name, r->prompts, count));
    for (size_t place = 0; place < r->size; place++) r->misconfidence[r->set[place]] = NAN;
    for (size_t i = 0; i < count; i++)
        r->misconfidence[r->others[i]] = -icl_log_margin(&r->nats[i * label_count], label_count,
                                                         r->input->pool_labels[r->others[i]]);
    return icl_corpus_rank(r->ranking, r->misconfidence, r->input->pool_count);
}

/* The most misconfident of those who may stand at `place`, or SIZE_MAX. */
static size_t newcomer(const reflection *r, size_t place)
{
    const size_t *labels = r->input->pool_labels;
    for (size_t i = 0; i < r->input->pool_count; i++) {
        const size_t item = r->ranking[i];
        if (isnan(r->misconfidence[item])) break;
        if (r->same_class && labels[item] != labels[r->set[place]]) continue;
        if (!in_set(r, item)) return item;
    }
    return SIZE_MAX;
}

static icl_status reflect(reflection *r, size_t rounds)
{
    if (r->size == r->split.candidate_count) return ICL_OK; /* nobody to come in */
    for (size_t round = 0; round < rounds; round++) {
        ICL_TRY(measure(r));
        for (size_t place = 0; place < r->replaced; place++) {
            const size_t item = newcomer(r, place);
            if (item != SIZE_MAX) r->set[place] = item;
        }
    }
    return ICL_OK;
}

static icl_status allocate(reflection *r)
{
    const size_t others = r->split.candidate_count - r->size, pool_count = r->input->pool_count;
    r->set = malloc(r->size * sizeof *r->set);
    r->others = malloc((others + 1) * sizeof *r->others);
    r->prompts = malloc((others + 1) * sizeof *r->prompts);
    r->nats = malloc((others * r->input->label_count + 1) * sizeof *r->nats);
    r->misconfidence = malloc(pool_count * sizeof *r->misconfidence);
    r->ranking = malloc(pool_count * sizeof *r->ranking);
    if (r->set == NULL || r->others == NULL || r->prompts == NULL || r->nats == NULL ||
        r->misconfidence == NULL || r->ranking == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu candidates", others);
    for (size_t i = 0; i < pool_count; i++) r->misconfidence[i] = NAN;
    return ICL_OK;
}

static icl_status begin(reflection *r, const icl_options *options, size_t k)
{
    const icl_split_sizes sizes = { .candidates_max =
                                        (size_t)icl_options_int(options, "candidates") };
    ICL_TRY(icl_split_draw(&r->split, r->input, method_name, &sizes));
    r->size = k < r->split.candidate_count ? k : r->split.candidate_count;
    r->replaced = (size_t)icl_options_int(options, "replaced");
    if (r->replaced == 0) r->replaced = (r->size + 1) / 2;
    if (r->replaced > r->size) r->replaced = r->size;
    r->same_class = icl_options_bool(options, "same_class");
    ICL_TRY(allocate(r));
    icl_rng rng = icl_rng_new(r->input->seed, r->input->task, "", "select-misconfidence");
    icl_draw(r->set, r->size, r->split.candidates, r->split.candidate_count, r->ranking, &rng);
    return ICL_OK;
}

static icl_status select_misconfidence(icl_selection *out, const icl_select_input *input,
                                       const icl_options *options)
{
    reflection r = { .input = input };
    icl_status status = begin(&r, options, out->k);
    if (status == ICL_OK) status = reflect(&r, (size_t)icl_options_int(options, "rounds"));
    if (status == ICL_OK) status = icl_corpus_show(out, input, r.set, r.size, r.misconfidence);
    free(r.ranking);
    free(r.misconfidence);
    free(r.nats);
    free(r.prompts);
    free(r.others);
    free(r.set);
    icl_split_deinit(&r.split);
    return status;
}

static const icl_option options[] = {
    ICL_SELECT_OPTION_K,
    { .name = "rounds",
      .type = ICL_OPTION_INT,
      .fallback = "1",
      .minimum = 0,
      .maximum = 1000,
      .help = "times that all candidates are asked and places refilled; 0: the random start" },
    { .name = "replaced",
      .type = ICL_OPTION_INT,
      .fallback = "0",
      .minimum = 0,
      .maximum = 1e6,
      .help = "places refilled in a round, the first ones, at most k; 0: half of them" },
    { .name = "candidates",
      .type = ICL_OPTION_INT,
      .fallback = "500",
      .minimum = 0,
      .maximum = 1e6,
      .help = "pool items to choose from, a balanced draw; 0: all" },
    { .name = "same_class",
      .type = ICL_OPTION_BOOL,
      .fallback = "false",
      .help = "true: who comes has the label of who goes; not in the paper" },
};

const icl_select_method icl_select_misconfidence = {
    .card = { .name = method_name,
              .summary = "Half random demonstrations, half examples that the model gets most "
                         "confidently wrong under them (ICR). Formula, rounds and who makes way "
                         "are the paper's; it promises nothing on the pool's own misconfidence.",
              .paper = "Xu & Zhang 2024, \"Misconfidence-based Demonstration Selection for LLM "
                       "In-Context Learning\"",
              .cost = "at most rounds * candidates prompts of k, once for all queries",
              .needs = ICL_NEEDS_LOGPROBS | ICL_NEEDS_LABELS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = select_misconfidence,
    .by_lot = true,
};
