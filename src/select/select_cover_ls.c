/* Cover-LS: demonstrations that together hold the query's local structures, the largest first. Here
 * a structure is a word or a run of words of the query itself, since nothing predicts a program. */
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "index/bm25.h"
#include "index/phrases.h"
#include "select/letter_case.h"
#include "select/select.h"

typedef struct coverer {
    const icl_select_input *input;
    icl_bm25 *retriever;
    icl_phrases *structures;
    /* Of the query at hand. */
    icl_scored *ranked; /* [pool_count] by BM25, best first; the query itself last */
    size_t *ranks;      /* [pool_count] the place of each item there */
    bool *taken;        /* [pool_count] by place; the query itself is taken from the start */
    icl_phrase *phrases;
    size_t phrase_count;
    bool *covered; /* [phrase_count] */
} coverer;

static bool holds(const icl_phrase *phrase, size_t item)
{
    size_t low = 0, high = phrase->text_count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (phrase->texts[middle] < item)
            low = middle + 1;
        else
            high = middle;
    }
    return low < phrase->text_count && phrase->texts[low] == item;
}

/* The place of the best item that holds the structure and is not taken, or SIZE_MAX. */
static size_t best_holder(const coverer *c, const icl_phrase *phrase)
{
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < phrase->text_count; i++) {
        const size_t place = c->ranks[phrase->texts[i]];
        if (place < best && !c->taken[place]) best = place;
    }
    return best;
}

/* Takes an item for every structure that is still uncovered, until k are taken in all. */
static size_t cover_once(const coverer *c, size_t chosen, size_t k)
{
    memset(c->covered, 0, c->phrase_count * sizeof *c->covered);
    for (size_t p = 0; p < c->phrase_count && chosen < k; p++) {
        if (c->covered[p]) continue;
        const size_t place = best_holder(c, &c->phrases[p]);
        if (place == SIZE_MAX) continue;
        c->taken[place] = true;
        chosen++;
        for (size_t other = p; other < c->phrase_count; other++)
            c->covered[other] |= holds(&c->phrases[other], c->ranked[place].index);
    }
    return chosen;
}

/* Ranks the pool; nothing but the query itself is taken. */
static icl_status rank_pool(const coverer *c, size_t query)
{
    const size_t count = c->input->pool_count, self = icl_select_self(c->input, query);
    ICL_TRY(icl_bm25_search(c->ranked, c->retriever, c->input->query_texts[query], count, self));
    memset(c->taken, 0, count * sizeof *c->taken);
    if (self != SIZE_MAX) {
        c->ranked[count - 1] = (icl_scored){ .index = self };
        c->taken[count - 1] = true;
    }
    for (size_t place = 0; place < count; place++) c->ranks[c->ranked[place].index] = place;
    return ICL_OK;
}

/* Covers again and again; when no item left holds a structure, the best of the others fill up. */
static void take_items(const coverer *c, size_t k)
{
    size_t chosen = 0;
    for (size_t before = SIZE_MAX; chosen < k && chosen != before;) {
        before = chosen;
        chosen = cover_once(c, chosen, k);
    }
    for (size_t place = 0; chosen < k; place++) {
        chosen += !c->taken[place];
        c->taken[place] = true;
    }
}

static icl_status choose_for(icl_selection *out, coverer *c, size_t query)
{
    ICL_TRY(rank_pool(c, query));
    ICL_TRY(icl_phrases_find(&c->phrases, &c->phrase_count, c->structures,
                             c->input->query_texts[query]));
    c->covered = malloc((c->phrase_count + 1) * sizeof *c->covered);
    icl_status status = ICL_OK;
    if (c->covered == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu structures", c->phrase_count);
    if (status == ICL_OK) {
        const size_t self = icl_select_self(c->input, query);
        take_items(c, out->k);
        for (size_t place = 0, to = query * out->k; place < c->input->pool_count; place++) {
            if (!c->taken[place] || c->ranked[place].index == self) continue;
            out->indices[to] = c->ranked[place].index;
            out->scores[to++] = c->ranked[place].score;
        }
    }
    free(c->covered);
    free(c->phrases);
    return status;
}

static icl_status coverer_init(coverer *c, const icl_options *options)
{
    const icl_select_input *input = c->input;
    const bool lower = icl_letter_case_ignored(options);
    icl_bm25_options constants = icl_bm25_options_default();
    constants.lower = lower;
    const icl_phrases_options shape = { .words_max = (size_t)icl_options_int(options, "words"),
                                        .lower = lower };
    c->ranked = malloc(input->pool_count * sizeof *c->ranked);
    c->ranks = malloc(input->pool_count * sizeof *c->ranks);
    c->taken = malloc(input->pool_count * sizeof *c->taken);
    if (c->ranked == NULL || c->ranks == NULL || c->taken == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu pool items", input->pool_count);
    ICL_TRY(icl_bm25_new(&c->retriever, input->pool_texts, input->pool_count, &constants,
                         input->cancelled));
    return icl_phrases_new(&c->structures, input->pool_texts, input->pool_count, &shape,
                           input->cancelled);
}

static void coverer_deinit(coverer *c)
{
    icl_phrases_free(c->structures);
    icl_bm25_free(c->retriever);
    free(c->taken);
    free(c->ranks);
    free(c->ranked);
}

static icl_status select_cover_ls(icl_selection *out, const icl_select_input *input,
                                  const icl_options *options)
{
    coverer c = { .input = input };
    icl_status status = coverer_init(&c, options);
    for (size_t q = 0; status == ICL_OK && q < input->query_count; q++) {
        status = choose_for(out, &c, q);
        if (status == ICL_OK) status = icl_cancel_check(input->cancelled);
    }
    coverer_deinit(&c);
    return status;
}

static const icl_option options[] = {
    ICL_SELECT_OPTION_K,
    { .name = "words",
      .type = ICL_OPTION_INT,
      .fallback = "3",
      .minimum = 1,
      .maximum = 16,
      .help = "words of the largest structure; 1: single words" },
    ICL_LETTER_CASE_OPTION("lower"),
};

const icl_select_method icl_select_cover_ls = {
    .card = { .name = "cover-ls",
              .summary = "Demonstrations that together hold the runs of words of the query, the "
                         "longest first, in order of BM25. The paper covers parts of predicted "
                         "programs; equal sizes it takes at random, here from left to right.",
              .paper = "Levy et al. 2023, \"Diverse Demonstrations Improve In-context "
                       "Compositional Generalization\"",
              .cost = "none",
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = select_cover_ls,
};
