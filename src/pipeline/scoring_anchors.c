/* Anchors: labelled pool items that are asked like a row, for methods that compare the row with
 * them. They are rows behind all others. Rows that would get the same anchors share them. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/rng.h"
#include "pipeline/scoring_parts.h"
#include "select/draw.h"

typedef struct anchor_choice {
    icl_scoring *scoring;
    uint64_t seed;
    size_t *order;    /* [labelled_count] pool items in the order in which they are taken */
    size_t *labelled; /* [labelled_count] the same items, to draw demonstrations from */
    size_t *swaps;    /* [labelled_count] scratch of drawing */
    size_t *shown;    /* [labelled_count] scratch: demonstrations of an anchor */
    size_t *chosen;   /* [wants.anchors] */
    size_t labelled_count, chosen_count;
} anchor_choice;

static icl_status out_of_memory(void)
{
    return icl_error_set(ICL_ENOMEM, "out of memory for anchors");
}

static void anchor_choice_deinit(anchor_choice *choice)
{
    free(choice->order);
    free(choice->labelled);
    free(choice->swaps);
    free(choice->shown);
    free(choice->chosen);
}

static icl_status list_labelled(anchor_choice *choice)
{
    const icl_ask_source *source = choice->scoring->source;
    const size_t room = source->pool.count + 1;
    choice->order = malloc(room * sizeof *choice->order);
    choice->labelled = malloc(room * sizeof *choice->labelled);
    choice->swaps = malloc(room * sizeof *choice->swaps);
    choice->shown = malloc(room * sizeof *choice->shown);
    choice->chosen = malloc((choice->scoring->wants.anchors + 1) * sizeof *choice->chosen);
    if (choice->order == NULL || choice->labelled == NULL || choice->swaps == NULL ||
        choice->shown == NULL || choice->chosen == NULL)
        return out_of_memory();
    for (size_t i = 0; i < source->pool.count; i++)
        if (source->pool_labels[i] != ICL_LABEL_NONE)
            choice->labelled[choice->labelled_count++] = i;
    return ICL_OK;
}

/* Random, in rounds: every label gives an item to a round for as long as it has any. */
static icl_status settle_order(anchor_choice *choice)
{
    const icl_ask_source *source = choice->scoring->source;
    const size_t count = choice->labelled_count;
    size_t *seen = calloc(choice->scoring->label_count + 1, sizeof *seen);
    size_t *rounds = calloc(count + 1, sizeof *rounds); /* of the i-th shuffled item */
    size_t *places = calloc(count + 2, sizeof *places); /* where a round's next item goes */
    size_t *shuffled = choice->shown;
    if (seen == NULL || rounds == NULL || places == NULL) {
        free(seen);
        free(rounds);
        free(places);
        return out_of_memory();
    }
    icl_rng rng = icl_rng_new(choice->seed, source->task, NULL, "anchors");
    memcpy(shuffled, choice->labelled, count * sizeof *shuffled);
    icl_rng_shuffle(&rng, shuffled, count);
    for (size_t i = 0; i < count; i++) {
        rounds[i] = seen[source->pool_labels[shuffled[i]]]++;
        places[rounds[i] + 1]++;
    }
    for (size_t r = 0; r < count; r++) places[r + 1] += places[r];
    for (size_t i = 0; i < count; i++) choice->order[places[rounds[i]]++] = shuffled[i];
    free(seen);
    free(rounds);
    free(places);
    return ICL_OK;
}

static bool may_be_anchor(const icl_scoring *scoring, const scoring_row *row, size_t item)
{
    const bool same = scoring->wants.anchors_show == ICL_ANCHORS_SHOW_SAME;
    for (size_t i = 0; same && i < row->shown_count; i++)
        if (row->shown[i] == item) return false;
    return strcmp(scoring->source->pool.inputs[item], row->input) != 0;
}

static icl_status choose(anchor_choice *choice, size_t row)
{
    const icl_scoring *scoring = choice->scoring;
    choice->chosen_count = 0;
    for (size_t i = 0; i < choice->labelled_count; i++) {
        if (choice->chosen_count == scoring->wants.anchors) break;
        if (may_be_anchor(scoring, &scoring->rows[row], choice->order[i]))
            choice->chosen[choice->chosen_count++] = choice->order[i];
    }
    return choice->chosen_count > 0
               ? ICL_OK
               : icl_error_set(ICL_EINVAL, "no labelled pool item is left to compare \"%s\" with",
                               scoring->rows[row].name);
}

/* ---- sets ---- */

/* Everything that the answers of the chosen anchors depend on. */
static void key_of(char out[33], const anchor_choice *choice, const scoring_row *row)
{
    const bool same = choice->scoring->wants.anchors_show == ICL_ANCHORS_SHOW_SAME;
    icl_hash_state state;
    icl_hash_begin(&state);
    icl_hash_add(&state, &row->shown_count, sizeof row->shown_count);
    if (same) icl_hash_add(&state, row->shown, row->shown_count * sizeof *row->shown);
    icl_hash_add(&state, choice->chosen, choice->chosen_count * sizeof *choice->chosen);
    icl_hash_hex(out, icl_hash_end(&state));
}

/* As many demonstrations as the row has, for one anchor and without it. */
static size_t draw_shown(anchor_choice *choice, size_t count, size_t item)
{
    const icl_ask_source *source = choice->scoring->source;
    const size_t spare = count < choice->labelled_count ? count + 1 : choice->labelled_count;
    icl_rng rng =
        icl_rng_new(choice->seed, source->task, source->pool.ids[item], "anchor demonstrations");
    icl_draw(choice->shown, spare, choice->labelled, choice->labelled_count, choice->swaps, &rng);
    size_t kept = 0;
    for (size_t i = 0; i < spare && kept < count; i++)
        if (choice->shown[i] != item) choice->shown[kept++] = choice->shown[i];
    return kept;
}

static icl_status add_anchor(anchor_choice *choice, size_t set, size_t owner, size_t item)
{
    icl_scoring *scoring = choice->scoring;
    const icl_ask_source *source = scoring->source;
    const bool same = scoring->wants.anchors_show == ICL_ANCHORS_SHOW_SAME;
    size_t row, count = scoring->rows[owner].shown_count;
    if (same)
        memcpy(choice->shown, scoring->rows[owner].shown, count * sizeof *choice->shown);
    else
        count = draw_shown(choice, count, item);
    ICL_TRY(
        icl_array_reserve(&scoring->anchors, &scoring->anchor_capacity, scoring->anchor_count + 1));
    scoring->anchors[scoring->anchor_count++] = (scoring_anchor){ .item = item, .set = set };
    return icl_scoring_add(scoring,
                           &(icl_shown){ .items = choice->shown,
                                         .count = count,
                                         .input = source->pool.inputs[item],
                                         .name = source->pool.ids[item] },
                           &row);
}

static icl_status make_set(anchor_choice *choice, size_t owner, const char *key)
{
    icl_scoring *scoring = choice->scoring;
    scoring_anchor_set *set = malloc(sizeof *set);
    if (set == NULL) return out_of_memory();
    const size_t index = scoring->set_count;
    *set = (scoring_anchor_set){ .owner = owner,
                                 .first = scoring->anchor_count,
                                 .count = choice->chosen_count };
    memcpy(set->key, key, sizeof set->key);
    const icl_status status =
        icl_array_reserve(&scoring->sets, &scoring->set_capacity, scoring->set_count + 1);
    if (status != ICL_OK) {
        free(set);
        return status;
    }
    scoring->sets[scoring->set_count++] = set;
    for (size_t i = 0; i < choice->chosen_count; i++)
        ICL_TRY(add_anchor(choice, index, owner, choice->chosen[i]));
    size_t same = index;
    return icl_string_map_add(&scoring->set_map, set->key, &same);
}

static icl_status give_anchors(anchor_choice *choice, size_t row)
{
    icl_scoring *scoring = choice->scoring;
    char key[33];
    ICL_TRY(choose(choice, row));
    key_of(key, choice, &scoring->rows[row]);
    scoring->rows[row].set = icl_string_map_find(&scoring->set_map, key);
    if (scoring->rows[row].set != SIZE_MAX) return ICL_OK;
    scoring->rows[row].set = scoring->set_count;
    return make_set(choice, row, key);
}

/* Whole distributions stay in memory until all rows are scored. */
static icl_status check_memory(const icl_scoring *scoring)
{
    const icl_model_info *info = icl_model_get_info(icl_engine_model(scoring->source->engine));
    size_t count = 0;
    for (size_t row = 0; row < scoring->row_count; row++)
        count +=
            scoring->rows[row].next_request != SCORING_NONE && scoring->rows[row].next_is_whole;
    const size_t bytes = count * info->vocab_count * sizeof(float);
    const size_t available = icl_memory_available_bytes();
    if (available == 0 || bytes <= available / 2) return ICL_OK;
    return icl_error_set(
        ICL_ENOMEM,
        "whole distributions after %zu prompts take %zu MiB, more than half of the "
        "%zu MiB that are free; state fewer anchors, or tokens to keep of each",
        count, bytes >> 20, available >> 20);
}

icl_status icl_scoring_add_anchors(icl_scoring *scoring, uint64_t seed)
{
    assert(scoring->anchor_first == SCORING_NONE);
    if (scoring->wants.anchors == 0) return ICL_OK;
    scoring->anchor_first = scoring->row_count;
    anchor_choice choice = { .scoring = scoring, .seed = seed };
    icl_status status = list_labelled(&choice);
    if (status == ICL_OK) status = settle_order(&choice);
    for (size_t row = 0; row < scoring->anchor_first && status == ICL_OK; row++)
        status = give_anchors(&choice, row);
    anchor_choice_deinit(&choice);
    return status == ICL_OK ? check_memory(scoring) : status;
}

/* ---- what was asked, and the answers ---- */

const scoring_anchor *icl_scoring_anchor(const icl_scoring *scoring, size_t row)
{
    return row < scoring->anchor_first ? NULL : &scoring->anchors[row - scoring->anchor_first];
}

icl_status icl_scoring_collect_anchors(icl_scoring *scoring)
{
    free(scoring->anchor_answers);
    free(scoring->anchor_labels);
    scoring->anchor_answers = calloc(scoring->set_count + 1, sizeof *scoring->anchor_answers);
    scoring->anchor_labels = calloc(scoring->anchor_count + 1, sizeof *scoring->anchor_labels);
    if (scoring->anchor_answers == NULL || scoring->anchor_labels == NULL) return out_of_memory();
    for (size_t i = 0; i < scoring->anchor_count; i++)
        scoring->anchor_labels[i] = scoring->source->pool_labels[scoring->anchors[i].item];
    for (size_t s = 0; s < scoring->set_count; s++) {
        const scoring_anchor_set *set = scoring->sets[s];
        scoring->anchor_answers[s] = (icl_score_anchors){
            .count = set->count,
            .rows = &scoring->answer_rows[scoring->anchor_first + set->first],
            .labels = &scoring->anchor_labels[set->first],
        };
    }
    for (size_t row = 0; scoring->set_count > 0 && row < scoring->anchor_first; row++)
        scoring->answer_rows[row].anchors = &scoring->anchor_answers[scoring->rows[row].set];
    return ICL_OK;
}

void icl_scoring_free_anchors(icl_scoring *scoring)
{
    for (size_t s = 0; s < scoring->set_count; s++) free(scoring->sets[s]);
    free(scoring->sets);
    free(scoring->anchors);
    free(scoring->anchor_answers);
    free(scoring->anchor_labels);
    icl_string_map_deinit(&scoring->set_map);
}
