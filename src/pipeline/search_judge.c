/* Who leads and who is behind, by the paired bootstrap over the queries that strategies have in
 * common. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "math/paired.h"
#include "pipeline/search_state.h"
#include "pipeline/weighted_metric.h"

/* Less likely better than the leader than this, a strategy is behind: wherever it stands, and in
 * the worse half of its round. */
static const double behind_anywhere = 0.02, behind_in_worse_half = 0.35;

bool icl_search_is_in(const search_candidate *candidate)
{
    return candidate->figures.fate == ICL_SEARCH_LEADS ||
           candidate->figures.fate == ICL_SEARCH_REMAINS;
}

size_t icl_search_count_in(const icl_search *search)
{
    size_t count = 0;
    for (size_t c = 0; c < search->space.count; c++)
        count += icl_search_is_in(&search->candidates[c]);
    return count;
}

/* ---- resampling ---- */

typedef struct judging {
    search_candidate **members; /* [count] the leader among them */
    size_t count;
    search_candidate *leader;
    uint32_t *weights; /* [query_count] */
    double *scratch;   /* [ICL_SEARCH_RESAMPLES] */
    icl_weighted_metric metric;
} judging;

static icl_status judging_init(judging *out, const icl_search *search, size_t query_count)
{
    *out = (judging){ .members = calloc(search->space.count, sizeof *out->members),
                      .weights = calloc(query_count, sizeof *out->weights),
                      .scratch = calloc(ICL_SEARCH_RESAMPLES, sizeof *out->scratch) };
    if (out->members == NULL || out->weights == NULL || out->scratch == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory to judge %zu strategies",
                             search->space.count);
    return icl_weighted_metric_init(&out->metric, search->summary.metric, search->gold, query_count,
                                    search->summary.label_count);
}

static void judging_deinit(judging *self)
{
    icl_weighted_metric_deinit(&self->metric);
    free(self->scratch);
    free(self->weights);
    free(self->members);
}

/* The metric of all members on the same resamples of the round's queries. */
static icl_status resample(judging *self, const icl_search *search, size_t round)
{
    char name[32];
    snprintf(name, sizeof name, "round-%zu", round);
    icl_rng rng = icl_rng_new(search->options.run.seed, search->summary.task, name, "search-judge");
    for (size_t c = 0; c < self->count; c++) {
        search_candidate *member = self->members[c];
        if (member->resampled == NULL)
            member->resampled = calloc(ICL_SEARCH_RESAMPLES, sizeof *member->resampled);
        if (member->resampled == NULL)
            return icl_error_set(ICL_ENOMEM, "out of memory to judge %zu strategies", self->count);
    }
    for (size_t b = 0; b < ICL_SEARCH_RESAMPLES; b++) {
        icl_resample_weights(self->weights, self->metric.count, &rng);
        for (size_t c = 0; c < self->count; c++)
            self->members[c]->resampled[b] =
                icl_weighted_metric_of(&self->metric, self->members[c]->predicted, self->weights);
    }
    return ICL_OK;
}

/* The metric on the queries of this judging; the leader's own round may have been longer. */
static double value_of(judging *self, const search_candidate *member)
{
    for (size_t q = 0; q < self->metric.count; q++) self->weights[q] = 1;
    return icl_weighted_metric_of(&self->metric, member->predicted, self->weights);
}

static void set_interval(double ci95[2], icl_interval interval)
{
    ci95[0] = interval.low;
    ci95[1] = interval.high;
}

/* Only from all queries of the member's last round. */
static void set_value_interval(judging *self, search_candidate *member)
{
    icl_search_candidate *figures = &member->figures;
    if (figures->query_count != self->metric.count) return;
    if (self->metric.metric == ICL_METRIC_ACCURACY) {
        memcpy(figures->value_ci95, figures->metrics.accuracy_ci95, sizeof figures->value_ci95);
        return;
    }
    memcpy(self->scratch, member->resampled, ICL_SEARCH_RESAMPLES * sizeof *self->scratch);
    set_interval(figures->value_ci95,
                 icl_interval_percentile95(self->scratch, ICL_SEARCH_RESAMPLES));
}

/* From resampled metrics to differences to the leader's; the leader comes last. */
static void compare_with_leader(judging *self, search_candidate *member)
{
    icl_search_candidate *figures = &member->figures;
    double better = 0;
    set_value_interval(self, member);
    for (size_t b = 0; b < ICL_SEARCH_RESAMPLES; b++) {
        member->resampled[b] -= self->leader->resampled[b];
        better += member->resampled[b] > 0 ? 1 : member->resampled[b] < 0 ? 0 : 0.5;
    }
    memcpy(self->scratch, member->resampled, ICL_SEARCH_RESAMPLES * sizeof *self->scratch);
    set_interval(figures->difference_ci95,
                 icl_interval_percentile95(self->scratch, ICL_SEARCH_RESAMPLES));
    figures->better = better / ICL_SEARCH_RESAMPLES;
    figures->difference = value_of(self, member) - value_of(self, self->leader);
}

static icl_status compare_members(judging *self, const icl_search *search, size_t round)
{
    ICL_TRY(resample(self, search, round));
    for (size_t c = 0; c < self->count; c++)
        if (self->members[c] != self->leader) compare_with_leader(self, self->members[c]);
    compare_with_leader(self, self->leader);
    return ICL_OK;
}

/* ---- a round ---- */

/* Members by the metric, best first; of equal ones the earlier in the space. */
static void sort_members(judging *self)
{
    for (size_t i = 1; i < self->count; i++) {
        search_candidate *member = self->members[i];
        size_t at = i;
        for (; at > 0 && self->members[at - 1]->figures.value < member->figures.value; at--)
            self->members[at] = self->members[at - 1];
        self->members[at] = member;
    }
}

static bool is_behind(const judging *self, size_t place)
{
    const icl_search_candidate *figures = &self->members[place]->figures;
    const bool worse_half = self->count > 2 && place >= (self->count + 1) / 2;
    return figures->difference < 0 &&
           figures->better < (worse_half ? behind_in_worse_half : behind_anywhere);
}

icl_status icl_search_judge_round(icl_search *search, icl_search_round *round)
{
    judging self;
    icl_status status = judging_init(&self, search, round->query_count);
    if (status == ICL_OK) {
        for (size_t c = 0; c < search->space.count; c++)
            if (icl_search_is_in(&search->candidates[c]))
                self.members[self.count++] = &search->candidates[c];
        sort_members(&self);
        self.leader = self.members[0];
        status = compare_members(&self, search, search->summary.round_count);
    }
    for (size_t place = 0; status == ICL_OK && place < self.count; place++) {
        icl_search_candidate *figures = &self.members[place]->figures;
        const bool behind = is_behind(&self, place);
        figures->fate = place == 0 ? ICL_SEARCH_LEADS
                        : behind   ? ICL_SEARCH_DROPPED
                                   : ICL_SEARCH_REMAINS;
        round->dropped_count += behind;
    }
    judging_deinit(&self);
    return status;
}

/* ---- in the end ---- */

/* Those whose last round it was, against the winner. */
static icl_status judge_last_round(icl_search *search, search_candidate *winner, size_t round)
{
    judging self;
    icl_status status = judging_init(&self, search, search->rounds[round - 1].query_count);
    if (status != ICL_OK) goto cleanup;
    self.leader = self.members[self.count++] = winner;
    for (size_t c = 0; c < search->space.count; c++) {
        search_candidate *candidate = &search->candidates[c];
        if (candidate != winner && candidate->figures.round_count == round)
            self.members[self.count++] = candidate;
    }
    if (self.count > 1) status = compare_members(&self, search, round);

cleanup:
    judging_deinit(&self);
    return status;
}

/* Resamples of a difference around 0. */
static void centre(search_candidate *candidate)
{
    double mean = 0;
    for (size_t b = 0; b < ICL_SEARCH_RESAMPLES; b++) mean += candidate->resampled[b];
    mean /= ICL_SEARCH_RESAMPLES;
    for (size_t b = 0; b < ICL_SEARCH_RESAMPLES; b++) candidate->resampled[b] -= mean;
}

/* The formula stands in icl/search.h. The winner's own difference is always 0. */
static double gain_of_doubling(icl_search *search)
{
    double best[ICL_SEARCH_RESAMPLES] = { 0 }, sum = 0;
    for (size_t c = 0; c < search->space.count; c++) {
        search_candidate *candidate = &search->candidates[c];
        if (candidate->figures.round_count == 0) continue;
        centre(candidate);
        for (size_t b = 0; b < ICL_SEARCH_RESAMPLES; b++)
            best[b] =
                fmax(best[b], candidate->figures.difference + candidate->resampled[b] / sqrt(2));
    }
    for (size_t b = 0; b < ICL_SEARCH_RESAMPLES; b++) sum += best[b];
    return sum / ICL_SEARCH_RESAMPLES;
}

icl_status icl_search_judge_all(icl_search *search)
{
    search_candidate *winner = &search->candidates[search->ranking[0]];
    winner->figures.fate = ICL_SEARCH_LEADS; /* the leader of the last round may be left out */
    for (size_t round = 1; round <= search->summary.round_count; round++)
        ICL_TRY(judge_last_round(search, winner, round));
    search->summary.gain_of_doubling = gain_of_doubling(search);
    return ICL_OK;
}

/* ---- the leaderboard ---- */

static bool ranks_before(const icl_search_candidate *a, const icl_search_candidate *b)
{
    if (a->fate != b->fate) return a->fate < b->fate;
    if (a->round_count != b->round_count) return a->round_count > b->round_count;
    return a->value > b->value;
}

void icl_search_rank(icl_search *search)
{
    for (size_t c = 0; c < search->space.count; c++) {
        size_t at = c;
        for (; at > 0 && ranks_before(&search->candidates[c].figures,
                                      &search->candidates[search->ranking[at - 1]].figures);
             at--)
            search->ranking[at] = search->ranking[at - 1];
        search->ranking[at] = c;
    }
}
