/* What the winner's figure is worth: the queries that it stands on have chosen it, so it owes some
 * of it to luck. Tsamardinos et al. 2018, "Bootstrapping the out-of-sample predictions for
 * efficient and accurate cross-validation": each resample chooses, and the queries that it left out
 * judge. The formula, with what follows from halving, stands in icl/search.h. */
#include <stdlib.h>

#include "base/error.h"
#include "math/paired.h"
#include "pipeline/search_state.h"
#include "pipeline/weighted_metric.h"

typedef struct claiming {
    const icl_search *search;
    const search_candidate *winner;
    size_t query_count; /* of the winner */
    icl_weighted_metric metric;
    uint32_t *drawn; /* [query_count] how often the resample has a query */
    uint32_t *left;  /* [query_count] 1 for those that it has not, else 0 */
} claiming;

static icl_status claiming_init(claiming *out, const icl_search *search)
{
    const search_candidate *winner = &search->candidates[search->ranking[0]];
    const size_t count = winner->figures.query_count;
    *out = (claiming){ .search = search,
                       .winner = winner,
                       .query_count = count,
                       .drawn = calloc(count, sizeof *out->drawn),
                       .left = calloc(count, sizeof *out->left) };
    if (out->drawn == NULL || out->left == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory to judge %zu queries", count);
    return icl_weighted_metric_init(&out->metric, search->summary.metric, search->gold, count,
                                    search->summary.label_count);
}

static void claiming_deinit(claiming *self)
{
    icl_weighted_metric_deinit(&self->metric);
    free(self->left);
    free(self->drawn);
}

static void draw(claiming *self, icl_rng *rng)
{
    icl_resample_weights(self->drawn, self->query_count, rng);
    for (size_t q = 0; q < self->query_count; q++) self->left[q] = self->drawn[q] == 0;
}

/* Queries that the candidate has answered, and so the winner too. */
static size_t common_queries(const claiming *self, const search_candidate *candidate)
{
    const size_t count = candidate->figures.query_count;
    return count < self->query_count ? count : self->query_count;
}

/* By how much the candidate is better than the winner on the queries they share; 0 where none of
 * those has a weight. */
static double lead_of(claiming *self, const search_candidate *candidate, const uint32_t *weights)
{
    uint64_t sum = 0;
    self->metric.count = common_queries(self, candidate);
    for (size_t q = 0; q < self->metric.count; q++) sum += weights[q];
    if (sum == 0) return 0;
    return icl_weighted_metric_of(&self->metric, candidate->predicted, weights) -
           icl_weighted_metric_of(&self->metric, self->winner->predicted, weights);
}

/* What the resample would have chosen. */
static const search_candidate *choose(claiming *self)
{
    const search_candidate *best = self->winner;
    double best_lead = 0;
    for (size_t c = 0; c < self->search->space.count; c++) {
        const search_candidate *candidate = &self->search->candidates[c];
        if (candidate->figures.round_count == 0) continue;
        const double lead = lead_of(self, candidate, self->drawn);
        if (lead <= best_lead) continue;
        best_lead = lead;
        best = candidate;
    }
    return best;
}

icl_status icl_search_correct_winner(icl_search *search)
{
    claiming self;
    icl_status status = claiming_init(&self, search);
    icl_rng rng = icl_rng_new(search->options.run.seed, search->summary.task, NULL, "search-claim");
    double loss = 0;
    for (size_t b = 0; status == ICL_OK && b < ICL_SEARCH_RESAMPLES; b++) {
        draw(&self, &rng);
        const search_candidate *chosen = choose(&self);
        const double share = (double)common_queries(&self, chosen) / (double)self.query_count;
        loss -= share * lead_of(&self, chosen, self.left) / ICL_SEARCH_RESAMPLES;
    }
    if (status == ICL_OK) {
        const double value = self.winner->figures.value - (loss > 0 ? loss : 0);
        search->summary.value_expected = value > 0 ? value : 0;
    }
    claiming_deinit(&self);
    return status;
}
