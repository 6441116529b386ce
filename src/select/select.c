#include "select/select.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cancel.h"
#include "base/error.h"
#include "base/quote.h"
#include "base/registry.h"
#include "select/subset.h"

#define ICL_SELECT_METHOD(name) extern const icl_select_method icl_select_##name;
#include "select/registry.def"
#undef ICL_SELECT_METHOD

static const icl_select_method *const methods[] = {
#define ICL_SELECT_METHOD(name) &icl_select_##name,
#include "select/registry.def"
#undef ICL_SELECT_METHOD
};

static const icl_card *const cards[] = {
#define ICL_SELECT_METHOD(name) &icl_select_##name.card,
#include "select/registry.def"
#undef ICL_SELECT_METHOD
};

enum { METHOD_COUNT = sizeof methods / sizeof *methods };

const icl_select_method *const *icl_select_methods(size_t *out_count)
{
    *out_count = METHOD_COUNT;
    return methods;
}

const icl_card *const *icl_select_cards(size_t *out_count)
{
    *out_count = METHOD_COUNT;
    return cards;
}

icl_status icl_select_find(const icl_select_method **out, const char *name)
{
    size_t index = 0;
    ICL_TRY(icl_registry_find(&index, cards, METHOD_COUNT, "select", name));
    *out = methods[index];
    return ICL_OK;
}

size_t icl_select_self(const icl_select_input *input, size_t query)
{
    return input->query_self != NULL ? input->query_self[query] : SIZE_MAX;
}

static icl_status check_labels(const icl_select_input *input)
{
    for (size_t i = 0; i < input->pool_count; i++) {
        if (input->pool_labels[i] >= input->label_count)
            return icl_error_set(ICL_EINVAL,
                                 "pool item %zu has label %zu, but the label space has %zu labels",
                                 i, input->pool_labels[i], input->label_count);
    }
    return ICL_OK;
}

static icl_status check_needs(const icl_card *card, const icl_select_input *input)
{
    if ((card->needs & ICL_NEEDS_LABELS) != 0 && input->pool_labels == NULL)
        return icl_error_set(ICL_EINVAL, "select method \"%s\" needs a labelled pool", card->name);
    if ((card->needs & ICL_NEEDS_EMBEDDINGS) != 0 &&
        (input->pool_vectors == NULL || input->query_vectors == NULL))
        return icl_error_set(ICL_EINVAL, "select method \"%s\" needs sentence vectors", card->name);
    if ((card->needs & ICL_NEEDS_TOKEN_VECTORS) != 0 &&
        (input->pool_tokens.first == NULL || input->query_tokens.first == NULL))
        return icl_error_set(ICL_EINVAL, "select method \"%s\" needs token vectors", card->name);
    const unsigned embeds_texts = ICL_NEEDS_EMBEDDINGS | ICL_NEEDS_GENERATION;
    if ((card->needs & embeds_texts) == embeds_texts && input->embedder == NULL)
        return icl_error_set(ICL_EINVAL, "select method \"%s\" needs a sentence encoder",
                             card->name);
    if ((card->needs & (ICL_NEEDS_LOGPROBS | ICL_NEEDS_GENERATION)) != 0 && input->asker == NULL)
        return icl_error_set(ICL_EINVAL, "select method \"%s\" needs a language model", card->name);
    return ICL_OK;
}

static icl_status check_k(const icl_select_input *input, size_t k)
{
    if (input->pool_count == 0)
        return icl_error_set(ICL_EINVAL, "k=%zu demonstrations asked, but the pool is empty", k);
    if (k > input->pool_count)
        return icl_error_set(ICL_EINVAL, "k=%zu demonstrations asked, but the pool holds %zu", k,
                             input->pool_count);
    if (k < input->pool_count) return ICL_OK;
    for (size_t q = 0; q < input->query_count; q++) {
        if (icl_select_self(input, q) == SIZE_MAX) continue;
        char shown[ICL_QUOTE_BYTES];
        icl_quote(shown, input->query_ids[q], strlen(input->query_ids[q]));
        return icl_error_set(ICL_EINVAL,
                             "k=%zu demonstrations asked, but the pool of %zu holds %zu besides "
                             "query %s itself",
                             k, input->pool_count, input->pool_count - 1, shown);
    }
    return ICL_OK;
}

/* The card's own number of candidates gives way to a larger k; one that somebody chose does not. */
static icl_status check_candidates(const icl_options *options, size_t k)
{
    const icl_card *card = options->card;
    if (card->needs & ICL_NEEDS_TRAINING) return ICL_OK; /* they are those of icl fit */
    for (size_t i = 0; i < card->option_count; i++) {
        if (strcmp(card->options[i].name, "candidates") != 0) continue;
        const long long candidates = options->values[i].integer;
        if (candidates == 0 || (size_t)candidates >= k) continue;
        if (candidates == atoll(card->options[i].fallback)) continue;
        return icl_error_set(ICL_EINVAL,
                             "select method \"%s\": candidates=%lld are fewer than k=%zu",
                             card->name, candidates, k);
    }
    return ICL_OK;
}

static icl_status check_input(const icl_select_method *method, const icl_select_input *input,
                              const icl_options *options, size_t k)
{
    ICL_TRY(icl_cancel_check(input->cancelled));
    if (input->pool_labels != NULL) ICL_TRY(check_labels(input));
    if (k == 0 || input->query_count == 0) return ICL_OK;
    for (size_t q = 0; q < input->query_count; q++) {
        const size_t self = icl_select_self(input, q);
        assert(self == SIZE_MAX || self < input->pool_count);
        (void)self;
    }
    ICL_TRY(check_k(input, k));
    ICL_TRY(check_candidates(options, k));
    return check_needs(&method->card, input);
}

icl_status icl_select_run(icl_selection *out, const icl_select_method *method,
                          const icl_select_input *input, const icl_options *options)
{
    const size_t k = (size_t)icl_options_int(options, "k");
    ICL_TRY(check_input(method, input, options, k));
    icl_selection selection = { .query_count = input->query_count, .k = k };
    /* One more than needed: calloc(0) may return NULL. */
    selection.indices = calloc(input->query_count * k + 1, sizeof *selection.indices);
    selection.scores = calloc(input->query_count * k + 1, sizeof *selection.scores);
    icl_status status = ICL_OK;
    if (selection.indices == NULL || selection.scores == NULL)
        status = icl_error_set(ICL_ENOMEM, "out of memory for %zu selections of k=%zu",
                               input->query_count, k);
    else if (k > 0 && input->query_count > 0)
        status = method->run != NULL ? method->run(&selection, input, options)
                                     : icl_subset_run(&selection, input, options, method->pick);
    if (status != ICL_OK) {
        icl_selection_deinit(&selection);
        return status;
    }
    *out = selection;
    return ICL_OK;
}

static bool is_undecided(const icl_selection *selection, const icl_select_input *input,
                         size_t query)
{
    const size_t self = icl_select_self(input, query), k = selection->k;
    const size_t *items = &selection->indices[query * k];
    const double *scores = &selection->scores[query * k];
    if (k >= input->pool_count - (self != SIZE_MAX)) return false; /* there were no others */
    for (size_t i = 0; i < k; i++)
        if (scores[i] != scores[0] || items[i] != i + (i >= self)) return false;
    return true;
}

size_t icl_select_undecided(const icl_selection *selection, const icl_select_method *method,
                            const icl_select_input *input, size_t query_count)
{
    size_t count = 0;
    if (method->by_lot || selection->k < 2) return 0;
    for (size_t q = 0; q < query_count; q++) count += is_undecided(selection, input, q);
    return count;
}

void icl_selection_deinit(icl_selection *selection)
{
    free(selection->indices);
    free(selection->scores);
    *selection = (icl_selection){ 0 };
}

const char *icl_select_aligner(const icl_select_method *method, const icl_options *options)
{
    return method->aligner != NULL ? icl_options_text(options, method->aligner) : "";
}
