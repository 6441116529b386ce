/* What the OpenICL library calls vote-k: items in order of their supporters, each skipped when an
 * item before it, picked or not, shares enough of its supporters; what is missing is random. Every
 * query is shown the same. */
#include <stdlib.h>

#include "base/cancel.h"
#include "base/error.h"
#include "math/topk.h"
#include "select/annotate.h"
#include "select/corpus.h"
#include "select/votes.h"

typedef struct ranking {
    icl_neighbour_graph graph;
    icl_scored *ranked; /* [count] items that have supporters, most of them first */
    size_t count;
    size_t *ranks;  /* [pool_count] place in `ranked` */
    size_t *shared; /* [pool_count] supporters in common with the item at hand; else 0 */
} ranking;

static icl_status ranking_init(ranking *r, const icl_select_input *input,
                               const icl_options *options)
{
    const size_t pool = input->pool_count;
    ICL_TRY(icl_votes_graph(&r->graph, input, options));
    r->ranked = malloc(pool * sizeof *r->ranked);
    r->ranks = calloc(pool, sizeof *r->ranks);
    r->shared = calloc(pool, sizeof *r->shared);
    if (r->ranked == NULL || r->ranks == NULL || r->shared == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu pool items", pool);
    for (size_t i = 0; i < pool; i++) {
        const size_t supporters = r->graph.first[i + 1] - r->graph.first[i];
        if (supporters > 0)
            r->ranked[r->count++] = (icl_scored){ .score = (double)supporters, .index = i };
    }
    icl_topk(r->ranked, r->count, r->count);
    for (size_t rank = 0; rank < r->count; rank++) r->ranks[r->ranked[rank].index] = rank;
    return ICL_OK;
}

static void ranking_deinit(ranking *r)
{
    free(r->shared);
    free(r->ranks);
    free(r->ranked);
    icl_neighbour_graph_deinit(&r->graph);
}

/* Whether an item of a better rank has at least `overlap` of this one's supporters. */
static bool is_overlapped(ranking *r, size_t rank, double overlap)
{
    const icl_neighbour_graph *graph = &r->graph;
    const size_t item = r->ranked[rank].index;
    bool overlapped = false;
    for (size_t e = graph->first[item]; e < graph->first[item + 1]; e++) {
        const uint32_t *voted = graph->neighbours + graph->supporters[e] * graph->k;
        for (size_t n = 0; n < graph->k; n++) {
            const size_t shared = ++r->shared[voted[n]];
            if (r->ranks[voted[n]] < rank && (double)shared >= overlap * r->ranked[rank].score)
                overlapped = true;
        }
    }
    for (size_t e = graph->first[item]; e < graph->first[item + 1]; e++) {
        const uint32_t *voted = graph->neighbours + graph->supporters[e] * graph->k;
        for (size_t n = 0; n < graph->k; n++) r->shared[voted[n]] = 0;
    }
    return overlapped;
}

static icl_status pick_ranked(icl_annotation *a, ranking *r, size_t budget)
{
    const double overlap = icl_options_real(a->options, "overlap");
    for (size_t rank = 0; rank < r->count && a->picked_count < budget; rank++) {
        ICL_TRY(icl_cancel_check(a->input->cancelled));
        if (!is_overlapped(r, rank, overlap)) icl_annotation_pick(a, r->ranked[rank].index);
    }
    icl_annotation_pick_random(a, budget);
    return ICL_OK;
}

static icl_status pick_votek_openicl(size_t *out, size_t budget, const icl_select_input *input,
                                     const icl_options *options)
{
    ranking r = { 0 };
    icl_annotation annotation = { 0 };
    icl_status status = ranking_init(&r, input, options);
    if (status == ICL_OK) status = icl_annotation_init(&annotation, out, input, options);
    if (status == ICL_OK) status = pick_ranked(&annotation, &r, budget);
    icl_annotation_deinit(&annotation);
    ranking_deinit(&r);
    return status;
}

static icl_status select_votek_openicl(icl_selection *out, const icl_select_input *input,
                                       const icl_options *options)
{
    /* One spare for a query that was picked itself; the picks before it are the same without it. */
    const size_t count = out->k < input->pool_count ? out->k + 1 : out->k;
    size_t *picks = malloc(count * sizeof *picks);
    if (picks == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for %zu picks", count);
    const icl_status status = pick_votek_openicl(picks, count, input, options);
    if (status == ICL_OK) icl_corpus_deal(out, input, picks, NULL);
    free(picks);
    return status;
}

static const icl_option options[] = {
    ICL_SELECT_OPTION_K,
    { .name = "neighbours",
      .type = ICL_OPTION_INT,
      .fallback = "3",
      .minimum = 1,
      .maximum = 1e6,
      .help = "items that each item votes for" },
    { .name = "overlap",
      .type = ICL_OPTION_REAL,
      .fallback = "1",
      .minimum = 0,
      .maximum = 1,
      .help = "share of an item's supporters that no item before it may have" },
};

const icl_select_method icl_select_votek_openicl = {
    .card = { .name = "votek-openicl",
              .summary = "Items with most supporters, the same for every query; not the paper's "
                         "vote-k.",
              .paper = "Wu et al. 2023, \"OpenICL: An Open-Source Framework for In-context "
                       "Learning\" (its VotekRetriever)",
              .cost = "none; one sentence vector per pool item",
              .needs = ICL_NEEDS_EMBEDDINGS,
              .options = options,
              .option_count = sizeof options / sizeof *options },
    .run = select_votek_openicl,
    .pick = pick_votek_openicl,
    .by_lot = true,
};
