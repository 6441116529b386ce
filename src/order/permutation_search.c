#include "order/permutation_search.h"

#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cancel.h"
#include "base/error.h"
#include "base/string_map.h"
#include "base/text.h"
#include "math/topk.h"
#include "order/permutation_engine.h"

const char *const icl_engine_names[] = {
    [ICL_ENGINE_EXACT] = "exact",       [ICL_ENGINE_SAMPLED] = "sampled",
    [ICL_ENGINE_BEAM] = "beam",         [ICL_ENGINE_ANNEALING] = "annealing",
    [ICL_ENGINE_HALVING] = "halving",   [ICL_ENGINE_PRECEDENCE] = "precedence",
    [ICL_ENGINE_POSITION] = "position", [ICL_ENGINE_GENETIC] = "genetic",
    [ICL_ENGINE_COUNT] = NULL
};

static const icl_engine *const engines[ICL_ENGINE_COUNT] = {
    [ICL_ENGINE_EXACT] = &icl_engine_sampled,     [ICL_ENGINE_SAMPLED] = &icl_engine_sampled,
    [ICL_ENGINE_BEAM] = &icl_engine_beam,         [ICL_ENGINE_ANNEALING] = &icl_engine_annealing,
    [ICL_ENGINE_HALVING] = &icl_engine_halving,   [ICL_ENGINE_PRECEDENCE] = &icl_engine_precedence,
    [ICL_ENGINE_POSITION] = &icl_engine_position, [ICL_ENGINE_GENETIC] = &icl_engine_genetic,
};

/* --- values that are known --- */

typedef struct known_values {
    icl_string_map map;
    char **keys;
    double *values; /* NAN until answered */
    size_t count, key_capacity, value_capacity;
} known_values;

static void known_deinit(known_values *known)
{
    icl_string_map_deinit(&known->map);
    for (size_t i = 0; i < known->count; i++) free(known->keys[i]);
    free(known->keys);
    free(known->values);
}

/* Slot of the value of an order's places on so many items: "20:3,1,0". */
static icl_status known_slot(size_t *out, known_values *known, const size_t *order, size_t places,
                             size_t items)
{
    icl_text key = { 0 };
    icl_text_printf(&key, "%zu:", items);
    for (size_t i = 0; i < places; i++) icl_text_printf(&key, "%zu,", order[i]);
    *out = icl_string_map_find(&known->map, icl_text_string(&key));
    icl_status status = icl_text_status(&key);
    if (status != ICL_OK || *out != SIZE_MAX) goto cleanup;
    *out = known->count;
    status = icl_array_reserve(&known->keys, &known->key_capacity, known->count + 1);
    if (status != ICL_OK) goto cleanup;
    status = icl_array_reserve(&known->values, &known->value_capacity, known->count + 1);
    if (status != ICL_OK) goto cleanup;
    known->values[known->count] = NAN;
    known->keys[known->count++] = icl_text_take(&key, NULL);
    status = icl_string_map_add(&known->map, known->keys[*out], &(size_t){ *out });

cleanup:
    icl_text_deinit(&key);
    return status;
}

/* --- what engines call --- */

void icl_search_open(icl_search *search, size_t places, size_t items)
{
    assert(places >= 1 && places <= search->k && items >= 1 && items <= search->item_count);
    search->proposed.count = 0;
    search->proposed.places = places;
    search->proposed.items = items;
}

static icl_status round_reserve(icl_search_round *round, size_t count, size_t k)
{
    if (count <= round->capacity) return ICL_OK;
    const size_t capacity = count < round->capacity * 2 ? round->capacity * 2 : count;
    size_t *orders = realloc(round->orders, capacity * k * sizeof *orders);
    if (orders != NULL) round->orders = orders;
    double *values = realloc(round->values, capacity * sizeof *values);
    if (values != NULL) round->values = values;
    size_t *slots = realloc(round->slots, capacity * sizeof *slots);
    if (slots != NULL) round->slots = slots;
    if (orders == NULL || values == NULL || slots == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu orders of k=%zu", capacity, k);
    round->capacity = capacity;
    return ICL_OK;
}

icl_status icl_search_propose(icl_search *search, const size_t *order)
{
    icl_search_round *round = &search->proposed;
    ICL_TRY(round_reserve(round, round->count + 1, search->k));
    memcpy(&round->orders[round->count++ * search->k], order, round->places * sizeof *order);
    return ICL_OK;
}

icl_status icl_search_propose_all(icl_search *search, const icl_permutations *orders)
{
    icl_search_open(search, search->k, search->item_count);
    ICL_TRY(round_reserve(&search->proposed, orders->count, search->k));
    for (size_t i = 0; i < orders->count; i++)
        ICL_TRY(icl_search_propose(search, &orders->rows[i * orders->k]));
    return ICL_OK;
}

/* What the budget pays for one whole order at most. */
static double order_price(const icl_search *search)
{
    return search->options->unit == ICL_BUDGET_DEMONSTRATIONS ? (double)search->k : 1;
}

size_t icl_search_orders_left(const icl_search *search)
{
    const double price = search->options->unit == ICL_BUDGET_DEMONSTRATIONS ? (double)search->k : 1;
    return (size_t)fmax(floor(search->left / price), 0);
}

icl_status icl_search_propose_random(icl_search *search, size_t most)
{
    const size_t left = icl_search_orders_left(search), paid = left > 1 ? left - 1 : 1;
    icl_permutations orders = { 0 };
    ICL_TRY(icl_permutations_sample(&orders, search->k, paid < most ? paid : most, search->rng));
    const icl_status status = icl_search_propose_all(search, &orders);
    icl_permutations_deinit(&orders);
    return status;
}

icl_status icl_search_rank_orders(size_t *best, const icl_search *search, size_t keep)
{
    const icl_search_round *round = &search->answered;
    icl_scored *ranked = malloc((round->count + 1) * sizeof *ranked);
    if (ranked == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu orders", round->count);
    for (size_t i = 0; i < round->count; i++)
        ranked[i] = (icl_scored){ .score = -round->values[i], .index = i };
    icl_topk(ranked, round->count, keep);
    for (size_t i = 0; i < keep; i++) best[i] = ranked[i].index;
    free(ranked);
    return ICL_OK;
}

/* --- one problem --- */

typedef struct problem {
    icl_search search;
    known_values known;
    size_t asked_from; /* slots from here on wait for their values */
    size_t start_slot; /* SIZE_MAX until the start was asked with the first whole orders */
    bool over;         /* nothing more will be proposed */
    icl_search_outcome outcome;
} problem;

static icl_status propose(icl_search *search)
{
    search->proposed.count = 0;
    ICL_TRY(engines[search->options->engine]->next(search));
    search->turn++;
    return ICL_OK;
}

static icl_status problem_init(problem *p, const size_t *start,
                               const icl_order_objective *objective,
                               const icl_search_problems *problems, size_t number,
                               const icl_search_options *options)
{
    p->search = (icl_search){ .k = problems->k,
                              .item_count = objective->item_count,
                              .options = options,
                              .rng = &problems->rngs[number],
                              .cancelled = problems->cancelled,
                              .best_value = INFINITY,
                              .left = (double)options->budget };
    p->search.best = malloc(problems->k * sizeof *p->search.best);
    if (p->search.best == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for an order of k=%zu", problems->k);
    memcpy(p->search.best, start, problems->k * sizeof *p->search.best);
    p->search.left -= order_price(&p->search); /* for the start */
    p->start_slot = SIZE_MAX;
    return problems->k == 1 ? ICL_OK : propose(&p->search); /* one thing has one order */
}

static void round_deinit(icl_search_round *round)
{
    free(round->slots);
    free(round->values);
    free(round->orders);
}

static void problem_deinit(problem *p)
{
    icl_search *search = &p->search;
    const icl_engine *engine = search->options == NULL ? NULL : engines[search->options->engine];
    if (engine != NULL && engine->end != NULL)
        engine->end(search->state);
    else
        free(search->state);
    round_deinit(&search->proposed);
    round_deinit(&search->answered);
    free(search->best);
    known_deinit(&p->known);
}

/* Demonstrations that the model reads for proposed orders whose values are not known. */
static icl_status count_demonstrations(size_t *out, const problem *p)
{
    const icl_search_round *round = &p->search.proposed;
    icl_permutations fresh = { .k = round->places };
    fresh.rows = malloc((round->count * round->places + 1) * sizeof *fresh.rows);
    if (fresh.rows == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu orders", round->count);
    size_t next = p->asked_from;
    for (size_t i = 0; i < round->count; i++) {
        if (round->slots[i] != next) continue;
        next++;
        memcpy(&fresh.rows[fresh.count++ * round->places], &round->orders[i * p->search.k],
               round->places * sizeof *fresh.rows);
    }
    const icl_status status = icl_permutations_sort(&fresh);
    if (status == ICL_OK) *out = icl_permutations_segments(&fresh);
    icl_permutations_deinit(&fresh);
    return status;
}

static bool is_whole(const icl_search_round *round, const icl_search *search)
{
    return round->places == search->k && round->items == search->item_count;
}

/* Before the first whole orders, so that it is asked with them and stays where they are no better.
 * Nothing was valued yet, so the start is still the best. */
static icl_status put_start_first(icl_search *search)
{
    icl_search_round *round = &search->proposed;
    const size_t k = search->k;
    ICL_TRY(round_reserve(round, round->count + 1, k));
    memmove(round->orders + k, round->orders, round->count * k * sizeof *round->orders);
    memcpy(round->orders, search->best, k * sizeof *round->orders);
    round->count++;
    search->left += order_price(search);
    return ICL_OK;
}

static icl_status pay(problem *p)
{
    icl_search *search = &p->search;
    const double orders = (double)(p->known.count - p->asked_from) *
                          (double)search->proposed.items / (double)search->item_count;
    size_t demonstrations = 0;
    ICL_TRY(count_demonstrations(&demonstrations, p));
    p->outcome.orders += orders;
    p->outcome.demonstrations += demonstrations;
    search->left -= search->options->unit == ICL_BUDGET_ORDERS ? orders : (double)demonstrations;
    return ICL_OK;
}

/* Finds the slots of all proposals, those from asked_from on are new, and pays for the new ones. */
static icl_status take_proposals(problem *p)
{
    icl_search *search = &p->search;
    icl_search_round *round = &search->proposed;
    const bool starts = p->start_slot == SIZE_MAX && is_whole(round, search);
    if (starts) ICL_TRY(put_start_first(search));
    p->asked_from = p->known.count;
    for (size_t i = 0; i < round->count; i++)
        ICL_TRY(known_slot(&round->slots[i], &p->known, &round->orders[i * search->k],
                           round->places, round->items));
    if (starts) p->start_slot = round->slots[0];
    return pay(p);
}

/* Proposals with values become the answered round. */
static void answer(problem *p)
{
    icl_search *search = &p->search;
    const icl_search_round answered = search->proposed;
    search->proposed = search->answered;
    search->answered = answered;
    for (size_t i = 0; i < answered.count; i++) {
        const double value = p->known.values[answered.slots[i]];
        answered.values[i] = value;
        if (!is_whole(&answered, search) || value >= search->best_value) continue;
        search->best_value = value;
        memcpy(search->best, &answered.orders[i * search->k], search->k * sizeof *search->best);
    }
}

/* Asks the engine until it proposes something whose value is not known, or nothing. */
static icl_status advance(problem *p, const atomic_bool *cancelled)
{
    icl_search *search = &p->search;
    for (;;) {
        ICL_TRY(icl_cancel_check(cancelled));
        if (search->proposed.count == 0) {
            p->over = true;
            return ICL_OK;
        }
        ICL_TRY(take_proposals(p));
        if (p->asked_from < p->known.count) return ICL_OK;
        answer(p);
        ICL_TRY(propose(search));
    }
}

/* --- all problems, round by round --- */

typedef struct asked_trials {
    icl_order_trial *trials;
    double *values;
    size_t count, trial_capacity, value_capacity;
} asked_trials;

static icl_status gather(asked_trials *asked, const problem *p, size_t number)
{
    const icl_search_round *round = &p->search.proposed;
    size_t next = p->asked_from;
    for (size_t i = 0; i < round->count; i++) {
        if (round->slots[i] != next) continue; /* known, or proposed twice */
        next++;
        ICL_TRY(icl_array_reserve(&asked->trials, &asked->trial_capacity, asked->count + 1));
        asked->trials[asked->count++] = (icl_order_trial){ .problem = number,
                                                           .order = &round->orders[i * p->search.k],
                                                           .places = round->places,
                                                           .items = round->items };
    }
    return ICL_OK;
}

/* Values come in the order in which slots were made. */
static icl_status hand_out(problem *p, const double **values)
{
    for (size_t slot = p->asked_from; slot < p->known.count; slot++)
        p->known.values[slot] = *(*values)++;
    answer(p);
    return propose(&p->search);
}

/* One round; asked->count 0 says that every search is over. */
static icl_status ask_round(asked_trials *asked, problem *all, size_t count,
                            const icl_order_objective *objective, const atomic_bool *cancelled)
{
    asked->count = 0;
    for (size_t i = 0; i < count; i++) {
        if (all[i].over) continue;
        ICL_TRY(advance(&all[i], cancelled));
        if (!all[i].over) ICL_TRY(gather(asked, &all[i], i));
    }
    if (asked->count == 0) return ICL_OK;
    ICL_TRY(icl_array_reserve(&asked->values, &asked->value_capacity, asked->count));
    ICL_TRY(objective->value(objective->context, asked->values, asked->trials, asked->count));
    const double *values = asked->values;
    for (size_t i = 0; i < count; i++)
        if (!all[i].over) ICL_TRY(hand_out(&all[i], &values));
    return ICL_OK;
}

static icl_search_outcome outcome_of(const problem *p)
{
    icl_search_outcome outcome = p->outcome;
    const bool asked = p->start_slot != SIZE_MAX;
    outcome.start_value = asked ? p->known.values[p->start_slot] : NAN;
    outcome.value = asked ? p->search.best_value : NAN;
    return outcome;
}

icl_status icl_permutation_search(size_t *orders, icl_search_outcome *outcomes,
                                  const icl_order_objective *objective,
                                  const icl_search_problems *problems,
                                  const icl_search_options *options)
{
    const size_t count = problems->count, k = problems->k;
    assert(k >= 1 && objective->item_count >= 1 && options->budget >= 1);
    asked_trials asked = { 0 };
    icl_status status = ICL_OK;
    problem *all = calloc(count + 1, sizeof *all);
    if (all == NULL)
        return icl_error_set(ICL_ENOMEM, "out of memory for %zu sets of demonstrations", count);
    for (size_t i = 0; status == ICL_OK && i < count; i++)
        status = problem_init(&all[i], &orders[i * k], objective, problems, i, options);
    do {
        if (status == ICL_OK)
            status = ask_round(&asked, all, count, objective, problems->cancelled);
    } while (status == ICL_OK && asked.count > 0);
    for (size_t i = 0; status == ICL_OK && i < count; i++) {
        memcpy(&orders[i * k], all[i].search.best, k * sizeof *orders);
        if (outcomes != NULL) outcomes[i] = outcome_of(&all[i]);
    }
    for (size_t i = 0; i < count; i++) problem_deinit(&all[i]);
    free(all);
    free(asked.values);
    free(asked.trials);
    return status;
}
