/* In-Context Reflection: starts from random demonstrations and, round by round, puts the candidates
 * that the model gets most confidently wrong in the place of demonstrations that tell it nothing
 * new.
 *
 * Misconfidence is max over wrong labels of P(label) / P(gold label); here its logarithm. Decided
 * here, since the paper's values are not known: half of the demonstrations are replaced in a round;
 * a demonstration's own misconfidence, which decides who goes, is measured without itself; nobody
 * makes way for a candidate of no higher misconfidence, so the search ends where nothing changes;
 * and the last set is taken. */
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/rng.h"
#include "math/logspace.h"
#include "template/ask.h"
#include "select/corpus.h"
#include "select/hand.h"

typedef struct reflection {
    const icl_select_input *input;
    icl_split split;
    size_t size, replaced; /* demonstrations, and how many are replaced in a round */
    bool same_class;
    size_t *set;             /* [size] pool indices in order of showing */
    bool *settled;           /* [size] came in this round */
    size_t *others;          /* [size][size] the set without each of its members */
    icl_ask_prompt *prompts; /* [candidate_count] */
    double *nats;            /* [candidate_count][label_count] */
    double *misconfidence;   /* [pool_count] log of the paper's; NaN: not a candidate */
} reflection;

/* Where a pool item stands in the set, or `size`. */
static size_t place_of(const reflection *r, size_t item)
{
    size_t place = 0;
    while (place < r->size && r->set[place] != item) place++;
    return place;
}

static icl_status measure(reflection *r)
{
    const size_t count = r->split.candidate_count, label_count = r->input->label_count;
    for (size_t i = 0; i < r->size; i++)
        for (size_t j = 0, kept = 0; j < r->size; j++)
            if (j != i) r->others[i * r->size + kept++] = r->set[j];
    for (size_t c = 0; c < count; c++) {
        const size_t item = r->split.candidates[c], place = place_of(r, item);
        const bool member = place < r->size;
        r->prompts[c] = (icl_ask_prompt){ .shown = member ? &r->others[place * r->size] : r->set,
                                          .shown_count = member ? r->size - 1 : r->size,
                                          .of = ICL_ASK_POOL,
                                          .item = item };
    }
    ICL_TRY(icl_ask_labels(r->nats, r->input->asker, "misconfidence", r->prompts, count));
    for (size_t c = 0; c < count; c++) {
        const size_t item = r->split.candidates[c];
        r->misconfidence[item] =
            -icl_log_margin(&r->nats[c * label_count], label_count, r->input->pool_labels[item]);
    }
    return ICL_OK;
}

/* The place of the least misconfident demonstration that `item` may replace, or `size`. */
static size_t weakest_place(const reflection *r, size_t item)
{
    const size_t *labels = r->input->pool_labels;
    size_t weakest = r->size;
    for (size_t p = 0; p < r->size; p++) {
        if (r->settled[p]) continue;
        if (r->same_class && labels[r->set[p]] != labels[item]) continue;
        if (weakest == r->size || r->misconfidence[r->set[p]] < r->misconfidence[r->set[weakest]])
            weakest = p;
    }
    return weakest;
}

/* Returns how many demonstrations were replaced. `ranking` [pool_count]: the most misconfident
 * first. */
static size_t replace(reflection *r, const size_t *ranking)
{
    size_t count = 0;
    for (size_t p = 0; p < r->size; p++) r->settled[p] = false;
    for (size_t i = 0; i < r->split.candidate_count && count < r->replaced; i++) {
        const size_t item = ranking[i];
        if (place_of(r, item) < r->size) continue;
        const size_t place = weakest_place(r, item);
        if (place == r->size || r->misconfidence[r->set[place]] >= r->misconfidence[item]) continue;
        r->set[place] = item;
        r->settled[place] = true;
        count++;
    }
    return count;
}

static icl_status reflect(reflection *r, size_t rounds)
{
    size_t *ranking = malloc(r->input->pool_count * sizeof *ranking);
    if (ranking == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for a pool of %zu", r->input->pool_count);
    icl_status status = ICL_OK;
    for (size_t round = 0; status == ICL_OK && round < rounds; round++) {
        status = measure(r);
        if (status == ICL_OK)
            status = icl_corpus_rank(ranking, r->misconfidence, r->input->pool_count);
        if (status != ICL_OK || replace(r, ranking) == 0) break;
    }
    free(ranking);
    return status;
}

static icl_status allocate(reflection *r)
{
    const size_t count = r->split.candidate_count, pool_count = r->input->pool_count;
    r->set = malloc(r->size * sizeof *r->set);
    r->settled = malloc(r->size * sizeof *r->settled);
    r->others = malloc(r->size * r->size * sizeof *r->others);
    r->prompts = malloc(count * sizeof *r->prompts);
    r->nats = malloc(count * r->input->label_count * sizeof *r->nats);
    r->misconfidence = malloc(pool_count * sizeof *r->misconfidence);
    if (r->set == NULL || r->settled == NULL || r->others == NULL || r->prompts == NULL ||
        r->nats == NULL || r->misconfidence == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu candidates", count);
    for (size_t i = 0; i < pool_count; i++) r->misconfidence[i] = NAN;
    return ICL_OK;
}

static icl_status draw_first_set(reflection *r)
{
    const icl_select_input *input = r->input;
    icl_rng rng = icl_rng_new(input->seed, input->task, "", "select-misconfidence");
    icl_hand hand = { 0 };
    const icl_status status = icl_hand_init(&hand, r->split.candidates, r->split.candidate_count,
                                            input->pool_labels, input->label_count);
    if (status == ICL_OK) {
        icl_hand_draw(&hand, r->size, &rng);
        icl_hand_deal(r->set, r->size, &hand, SIZE_MAX);
        icl_rng_shuffle(&rng, r->set, r->size);
    }
    icl_hand_deinit(&hand);
    return status;
}

static icl_status begin(reflection *r, const icl_options *options, size_t k)
{
    const icl_split_sizes sizes = { .candidates_max =
                                        (size_t)icl_options_int(options, "candidates") };
    ICL_TRY(icl_split_draw(&r->split, r->input, "misconfidence", &sizes));
    r->size = k < r->split.candidate_count ? k : r->split.candidate_count;
    r->replaced = (size_t)icl_options_int(options, "replaced");
    if (r->replaced == 0) r->replaced = r->size > 1 ? r->size / 2 : 1;
    r->same_class = icl_options_bool(options, "same_class");
    ICL_TRY(allocate(r));
    return draw_first_set(r);
}

static icl_status select_misconfidence(icl_selection *out, const icl_select_input *input,
                                       const icl_options *options)
{
    reflection r = { .input = input };
    icl_status status = begin(&r, options, out->k);
    if (status == ICL_OK) status = reflect(&r, (size_t)icl_options_int(options, "rounds"));
    if (status == ICL_OK) status = icl_corpus_show(out, input, r.set, r.size, r.misconfidence);
    free(r.misconfidence);
    free(r.nats);
    free(r.prompts);
    free(r.others);
    free(r.settled);
    free(r.set);
    icl_split_deinit(&r.split);
    return status;
}

static const icl_option options[] = {
    ICL_SELECT_OPTION_K,
    { .name = "rounds",
      .type = ICL_OPTION_INT,
      .fallback = "3",
      .minimum = 1,
      .maximum = 1000,
      .help = "times that all candidates are asked and demonstrations replaced; fewer when nothing "
              "changes" },
    { .name = "replaced",
      .type = ICL_OPTION_INT,
      .fallback = "0",
      .minimum = 0,
      .maximum = 1e6,
      .help = "demonstrations replaced in a round; 0: half of them" },
    { .name = "candidates",
      .type = ICL_OPTION_INT,
      .fallback = "200",
      .minimum = 0,
      .maximum = 1e6,
      .help = "pool items that are asked, a balanced draw; 0: all" },
    { .name = "same_class",
      .type = ICL_OPTION_BOOL,
      .fallback = "true",
      .help = "true: who comes has the label of who goes, so the labels stay balanced" },
};

const icl_select_method icl_select_misconfidence = {
    .card = { .name = "misconfidence",
              .summary = "Examples that the model, under the demonstrations so far, gets most "
                         "confidently wrong (ICR). How many rounds, and how many are replaced in "
                         "each, is chosen here; the last set is taken.",
              .paper = "Xu & Zhang 2024, \"Misconfidence-based Demonstration Selection for LLM "
                       "In-Context Learning\"",
              .cost = "at most rounds * candidates prompts of k, once for all queries",
              .needs = ICL_NEEDS_LOGPROBS | ICL_NEEDS_LABELS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = select_misconfidence,
    .by_lot = true,
};
