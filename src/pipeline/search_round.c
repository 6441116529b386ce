/* One round of a search: as many queries as its share of the budget buys, all strategies that
 * remain as one batch. */
#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/error.h"
#include "engine/account.h"
#include "pipeline/search_state.h"

static uint64_t tokens_left(const icl_search *search)
{
    const uint64_t spent = icl_engine_spent(search->engine);
    return search->options.budget_tokens > spent ? search->options.budget_tokens - spent : 0;
}

static const icl_search_round *last_round(const icl_search *search)
{
    const size_t count = search->summary.round_count;
    return count > 0 ? &search->rounds[count - 1] : NULL;
}

static void tell(const icl_search *search, const icl_search_progress *progress,
                 icl_search_event event)
{
    if (progress != NULL) progress->say(progress->user, search, event);
}

/* ---- runs ---- */

static void leave_out(search_candidate *candidate, const char *reason)
{
    icl_run_free(candidate->run);
    candidate->run = NULL;
    icl_text_append_string(&candidate->reason, reason);
    candidate->figures.reason = icl_text_string(&candidate->reason);
    candidate->figures.fate = ICL_SEARCH_LEFT_OUT;
}

/* What a strategy and its data may say of each other; the others of the space go on. */
static bool is_its_own_fault(icl_status status)
{
    return status == ICL_EINVAL || status == ICL_ECONTEXT || status == ICL_EUNSUPPORTED ||
           status == ICL_EBUDGET;
}

/* The run of a strategy over the first so many queries. To choose demonstrations it may ask for
 * `allowance` tokens. */
static icl_status build_run(icl_search *search, search_candidate *candidate, size_t query_count,
                            uint64_t allowance)
{
    if (candidate->run != NULL && icl_run_get_summary(candidate->run)->query_count == query_count)
        return ICL_OK;
    icl_run_free(candidate->run);
    candidate->run = NULL;
    icl_run_options options = search->options.run;
    options.strategy = candidate->figures.strategy;
    options.data = candidate->fits_pool ? &search->apart : &search->all;
    options.limit = query_count;
    options.zero_shot = false;
    icl_engine_set_bound(search->engine, icl_engine_spent(search->engine) + allowance);
    const icl_status status = icl_run_new(&candidate->run, search->engine, &options);
    icl_engine_set_bound(search->engine, search->options.budget_tokens);
    /* What has taken part is not left out for want of tokens: the search is over. */
    const bool is_over = status == ICL_EBUDGET && search->summary.round_count > 0;
    if (is_over || !is_its_own_fault(status)) return status;
    if (status == ICL_EBUDGET) icl_error_prefix(status, "to choose demonstrations");
    leave_out(candidate, icl_error_message());
    return ICL_OK;
}

static icl_status build_runs(icl_search *search, size_t query_count, uint64_t share)
{
    const bool is_first = search->summary.round_count == 0;
    const uint64_t allowance = is_first ? share / icl_search_count_in(search) : share;
    for (size_t c = 0; c < search->space.count; c++) {
        search_candidate *candidate = &search->candidates[c];
        if (!icl_search_is_in(candidate)) continue;
        const icl_status status = build_run(search, candidate, query_count, allowance);
        if (status == ICL_ECANCELLED || status == ICL_EBUDGET) return status;
        if (status != ICL_OK) return icl_error_prefix(status, "%s", candidate->figures.strategy);
    }
    if (icl_search_count_in(search) > 0) return ICL_OK;
    const icl_search_candidate *first = &search->candidates[0].figures;
    return icl_error_set(ICL_EINVAL, "no strategy can run, the first for: %s", first->reason);
}

static void free_runs(icl_search *search)
{
    for (size_t c = 0; c < search->space.count; c++) {
        icl_run_free(search->candidates[c].run);
        search->candidates[c].run = NULL;
    }
}

/* ---- prices ---- */

static icl_status price_of(uint64_t *out_tokens, const icl_search *search,
                           search_candidate *const *members, size_t count)
{
    const icl_batch **batches = calloc(count, sizeof *batches);
    if (batches == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for %zu runs", count);
    for (size_t i = 0; i < count; i++) batches[i] = icl_run_batch(members[i]->run);
    const icl_status status = icl_engine_price(out_tokens, search->engine, batches, count);
    free(batches);
    return status;
}

/* Those that take part, in the order of the space; *out malloc'd. */
static icl_status list_members(search_candidate ***out, size_t *out_count, const icl_search *search)
{
    search_candidate **members = calloc(search->space.count, sizeof *members);
    if (members == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu strategies", search->space.count);
    *out_count = 0;
    for (size_t c = 0; c < search->space.count; c++)
        if (icl_search_is_in(&search->candidates[c]))
            members[(*out_count)++] = &search->candidates[c];
    *out = members;
    return ICL_OK;
}

static icl_status price_all(uint64_t *out_tokens, const icl_search *search)
{
    search_candidate **members = NULL;
    size_t count = 0;
    ICL_TRY(list_members(&members, &count, search));
    const icl_status status = price_of(out_tokens, search, members, count);
    free(members);
    return status;
}

/* ---- a budget that does not hold all strategies ---- */

typedef struct priced {
    search_candidate *candidate;
    uint64_t tokens;
} priced;

static int compare_prices(const void *left, const void *right)
{
    const priced *a = left, *b = right;
    if (a->tokens != b->tokens) return a->tokens < b->tokens ? -1 : 1;
    return a->candidate < b->candidate ? -1 : a->candidate > b->candidate;
}

/* Members by their own price, the cheapest first. */
static icl_status sort_by_price(search_candidate **members, size_t count, uint64_t *out_cheapest,
                                const icl_search *search)
{
    priced *prices = calloc(count, sizeof *prices);
    if (prices == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for %zu prices", count);
    icl_status status = ICL_OK;
    for (size_t i = 0; i < count && status == ICL_OK; i++) {
        prices[i].candidate = members[i];
        status = price_of(&prices[i].tokens, search, &members[i], 1);
    }
    if (status == ICL_OK) {
        qsort(prices, count, sizeof *prices, compare_prices);
        for (size_t i = 0; i < count; i++) members[i] = prices[i].candidate;
        *out_cheapest = prices[0].tokens;
    }
    free(prices);
    return status;
}

/* How many of the cheapest fit together; the first one does. */
static icl_status count_affordable(size_t *out, const icl_search *search,
                                   search_candidate *const *members, size_t count)
{
    size_t fits = 1, too_many = count + 1;
    while (too_many - fits > 1) {
        const size_t middle = fits + (too_many - fits) / 2;
        uint64_t tokens;
        ICL_TRY(price_of(&tokens, search, members, middle));
        if (tokens <= tokens_left(search))
            fits = middle;
        else
            too_many = middle;
    }
    *out = fits;
    return ICL_OK;
}

/* Leaves out the most expensive strategies until the rest fits. */
static icl_status leave_out_expensive(icl_search *search, size_t query_count)
{
    search_candidate **members = NULL;
    size_t count = 0, affordable = 0;
    uint64_t cheapest = 0;
    ICL_TRY(list_members(&members, &count, search));
    icl_status status = sort_by_price(members, count, &cheapest, search);
    if (status == ICL_OK && cheapest > tokens_left(search))
        status = icl_error_set(ICL_EBUDGET,
                               "a budget of %" PRIu64 " tokens is too small for one strategy; the "
                               "least is %" PRIu64 ", which %zu queries of the cheapest take",
                               search->options.budget_tokens,
                               icl_engine_spent(search->engine) + cheapest, query_count);
    if (status == ICL_OK) status = count_affordable(&affordable, search, members, count);
    for (size_t i = affordable; status == ICL_OK && i < count; i++)
        leave_out(members[i], "the budget does not hold it beside the cheaper ones");
    free(members);
    return status;
}

/* ---- how many queries ---- */

typedef struct sizing {
    size_t before, minimum, most; /* queries: of the round before, wanted at least, drawn */
    uint64_t share;               /* tokens that the round should take */
} sizing;

/* Queries that `tokens_allowed` buy where the new ones of `query_count` cost `tokens`. */
static size_t queries_bought(const sizing *size, size_t query_count, uint64_t tokens,
                             uint64_t tokens_allowed)
{
    const double new_queries = (double)(query_count - size->before);
    const double bought = new_queries * (double)tokens_allowed / (double)tokens;
    const double most = (double)(size->most - size->before);
    return size->before + (size_t)floor(fmin(bought, most));
}

/* One step of the way to a number of queries whose price fits; the same number: it does. 0: none
 * does. Prices are nearly linear in queries, so few steps are enough; after the first they only
 * shrink. */
static size_t next_size(const sizing *size, size_t query_count, uint64_t tokens, uint64_t left,
                        bool may_grow)
{
    const uint64_t share = size->share < left ? size->share : left;
    const uint64_t allowed = query_count > size->minimum ? share : left;
    if (tokens <= allowed) {
        const size_t bought =
            tokens == 0 ? size->most : queries_bought(size, query_count, tokens, share);
        const bool worth_it = bought > query_count + query_count / 8;
        return may_grow && worth_it ? bought : query_count;
    }
    size_t fewer = queries_bought(size, query_count, tokens, allowed - allowed / 32);
    if (fewer >= query_count) fewer = query_count - 1;
    if (query_count > size->minimum && fewer < size->minimum) return size->minimum;
    return fewer > size->before + size->before / ICL_SEARCH_LEAST_GROWTH ? fewer : 0;
}

/* Runs of a number of queries that the budget holds; *out_count is 0 when there is none. */
static icl_status fit_runs(size_t *out_count, uint64_t *out_tokens, icl_search *search,
                           const sizing *size, size_t first_guess)
{
    size_t query_count = first_guess;
    for (bool may_grow = true;; may_grow = false) {
        uint64_t tokens;
        ICL_TRY(build_runs(search, query_count, size->share));
        ICL_TRY(price_all(&tokens, search));
        const size_t next = next_size(size, query_count, tokens, tokens_left(search), may_grow);
        *out_tokens = tokens;
        *out_count = next;
        if (next == query_count || next == 0) return ICL_OK;
        query_count = next;
    }
}

/* Rounds to come, each of which should halve the strategies. */
static uint64_t halvings(size_t candidates)
{
    uint64_t count = 1;
    while (candidates > 2) {
        candidates = (candidates + 1) / 2;
        count++;
    }
    return count;
}

static icl_status size_first_round(size_t *out_count, uint64_t *out_tokens, icl_search *search)
{
    const size_t most = search->summary.validation_count;
    const size_t least = most < ICL_SEARCH_FIRST_QUERIES ? most : ICL_SEARCH_FIRST_QUERIES;
    const uint64_t rounds = halvings(search->space.count);
    const uint64_t share = search->options.budget_tokens /
                           (rounds < ICL_SEARCH_FIRST_SHARE ? rounds : ICL_SEARCH_FIRST_SHARE);
    uint64_t tokens;
    ICL_TRY(build_runs(search, least, share));
    ICL_TRY(price_all(&tokens, search));
    if (tokens > tokens_left(search)) ICL_TRY(leave_out_expensive(search, least));
    const sizing size = { .minimum = least, .most = most, .share = share };
    ICL_TRY(fit_runs(out_count, out_tokens, search, &size, least));
    if (*out_count > 0) return ICL_OK;
    return icl_error_set(ICL_EBUDGET,
                         "a budget of %" PRIu64 " tokens is spent before the first round: "
                         "choosing demonstrations took %" PRIu64,
                         search->options.budget_tokens, icl_engine_spent(search->engine));
}

static icl_status size_next_round(size_t *out_count, uint64_t *out_tokens, icl_search *search)
{
    const icl_search_round *last = last_round(search);
    const size_t most = search->summary.validation_count, candidates = icl_search_count_in(search);
    sizing size = { .before = last->query_count,
                    .minimum = last->query_count + (last->query_count + 1) / 2,
                    .most = most,
                    .share = tokens_left(search) / halvings(candidates) };
    if (size.minimum > most) size.minimum = most;
    /* The last round's price of a query and strategy is the best guess before the runs are made. */
    const size_t before_last = search->summary.round_count > 1
                                   ? search->rounds[search->summary.round_count - 2].query_count
                                   : 0;
    const double price = (double)last->tokens_planned /
                         (double)((last->query_count - before_last) * last->candidate_count);
    const double bought = (double)size.share / (price * (double)candidates + 1);
    size_t guess = size.before + (size_t)fmin(bought, (double)(most - size.before));
    if (guess < size.minimum) guess = size.minimum;
    return fit_runs(out_count, out_tokens, search, &size, guess);
}

/* ---- asking ---- */

/* What a query takes when the strategy is asked alone; before any of it is answered. */
static icl_status measure_alone(search_candidate *candidate)
{
    const icl_account nothing_paid = { 0 };
    const icl_batch *batch = icl_run_batch(candidate->run);
    uint64_t tokens;
    ICL_TRY(icl_account_price(&tokens, &nothing_paid, &batch, 1));
    candidate->figures.tokens_per_query =
        (double)tokens / (double)icl_run_get_summary(candidate->run)->query_count;
    return ICL_OK;
}

static void read_answers(icl_search *search, search_candidate *candidate)
{
    const icl_run *run = candidate->run;
    const icl_run_summary *summary = icl_run_get_summary(run);
    icl_search_candidate *figures = &candidate->figures;
    for (size_t q = 0; q < summary->query_count; q++)
        candidate->predicted[q] = (uint32_t)icl_run_sample_at(run, q).predicted;
    figures->query_count = summary->query_count;
    figures->round_count = search->summary.round_count;
    figures->metrics = summary->metrics;
    figures->value = search->summary.metric == ICL_METRIC_MACRO_F1 ? summary->metrics.macro_f1
                                                                   : summary->metrics.accuracy;
}

static icl_status ask(icl_search *search)
{
    icl_run **runs = calloc(search->space.count, sizeof *runs);
    size_t count = 0;
    icl_status status = ICL_OK;
    if (runs == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu runs", search->space.count);
    for (size_t c = 0; c < search->space.count && status == ICL_OK; c++) {
        if (search->candidates[c].run == NULL) continue;
        runs[count++] = search->candidates[c].run;
        status = measure_alone(&search->candidates[c]);
    }
    if (status == ICL_OK) status = icl_run_execute_all(runs, count);
    free(runs);
    search->summary.tokens_spent = icl_engine_spent(search->engine);
    for (size_t c = 0; c < search->space.count && status == ICL_OK; c++)
        if (search->candidates[c].run != NULL) read_answers(search, &search->candidates[c]);
    return status;
}

static icl_status play(icl_search *search, const icl_search_progress *progress, size_t query_count,
                       uint64_t tokens)
{
    ICL_TRY(icl_array_reserve(&search->rounds, &search->round_capacity,
                              search->summary.round_count + 1));
    icl_search_round *round = &search->rounds[search->summary.round_count++];
    *round = (icl_search_round){ .query_count = query_count,
                                 .candidate_count = icl_search_count_in(search),
                                 .tokens_planned = tokens,
                                 .tokens_left = tokens_left(search) };
    tell(search, progress, ICL_SEARCH_BEGINS);
    ICL_TRY(ask(search));
    ICL_TRY(icl_search_judge_round(search, round));
    icl_search_rank(search);
    tell(search, progress, ICL_SEARCH_ENDS);
    return ICL_OK;
}

icl_status icl_search_run_round(bool *out_more, icl_search *search,
                                const icl_search_progress *progress)
{
    const icl_search_round *last = last_round(search);
    size_t query_count = 0;
    uint64_t tokens = 0;
    *out_more = false;
    if (last != NULL) {
        search->summary.queries_exhausted = last->query_count == search->summary.validation_count;
        if (search->summary.queries_exhausted || icl_search_count_in(search) < 2) return ICL_OK;
    }
    tell(search, progress, ICL_SEARCH_PREPARES);
    icl_status status = last == NULL ? size_first_round(&query_count, &tokens, search)
                                     : size_next_round(&query_count, &tokens, search);
    if (status == ICL_EBUDGET && last != NULL) {
        status = ICL_OK;
        query_count = 0;
    }
    *out_more = query_count > 0;
    if (status == ICL_OK && *out_more) status = play(search, progress, query_count, tokens);
    free_runs(search);
    return status;
}
