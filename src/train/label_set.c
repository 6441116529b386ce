#include "train/label_set.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"

void icl_label_set_clear(icl_label_set *set)
{
    set->tokens.count = 0;
    set->count = 0;
    set->starts[0] = 0;
}

void icl_label_set_deinit(icl_label_set *set)
{
    icl_tokens_deinit(&set->tokens);
}

const int32_t *icl_label_set_tokens(const icl_label_set *set, size_t label, size_t *out_count)
{
    assert(label < set->count);
    *out_count = set->starts[label + 1] - set->starts[label];
    return set->tokens.items + set->starts[label];
}

static bool first_token_is_new(const icl_label_set *set)
{
    const int32_t *tokens = set->tokens.items;
    for (size_t i = 0; i < set->count; i++)
        if (tokens[set->starts[i]] == tokens[set->starts[set->count]]) return false;
    return true;
}

icl_status icl_label_set_add(icl_label_set *set, const icl_bpe *bpe, const char *word,
                             bool *out_added)
{
    assert(set->count < ICL_CLASSES_MAX);
    const size_t start = set->starts[set->count];
    icl_text text = { 0 };
    icl_text_append_char(&text, ' ');
    icl_text_append_string(&text, word);
    icl_status status = icl_text_status(&text);
    if (status == ICL_OK) status = icl_bpe_encode(bpe, text.bytes, text.length, &set->tokens);
    icl_text_deinit(&text);
    if (status != ICL_OK) return status;
    assert(set->tokens.count > start);
    *out_added = first_token_is_new(set);
    if (*out_added)
        set->starts[++set->count] = set->tokens.count;
    else
        set->tokens.count = start;
    return ICL_OK;
}

icl_status icl_label_set_derange(icl_label_set *set, icl_rng *rng)
{
    assert(set->count > 1);
    const size_t shift = 1 + icl_rng_below(rng, set->count - 1);
    const icl_label_set from = *set;
    icl_label_set turned = { 0 };
    for (size_t i = 0; i < from.count; i++) {
        size_t count = 0;
        const int32_t *tokens = icl_label_set_tokens(&from, (i + shift) % from.count, &count);
        for (size_t t = 0; t < count; t++) {
            const icl_status status = icl_tokens_push(&turned.tokens, tokens[t]);
            if (status != ICL_OK) {
                icl_label_set_deinit(&turned);
                return status;
            }
        }
        turned.starts[++turned.count] = turned.tokens.count;
    }
    icl_label_set_deinit(set);
    *set = turned;
    return ICL_OK;
}

void icl_symbol_draw(char out[8], size_t form, icl_rng *rng)
{
    assert(form < ICL_SYMBOL_FORMS);
    if (form == 0) {
        snprintf(out, 8, "%zu", icl_rng_below(rng, 1000));
        return;
    }
    const char first = form == 1 ? 'A' : 'a';
    const size_t length = 1 + icl_rng_below(rng, 3);
    for (size_t i = 0; i < length; i++) out[i] = (char)(first + (char)icl_rng_below(rng, 26));
    out[length] = '\0';
}
